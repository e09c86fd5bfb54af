"""A finished study that is as it was made: nothing else is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrank.errors import InputError, NotFoundError, PrerequisiteError, UsageError
from headrank.provenance.manifest import NAME, advice, check_manifest
from headrank.provenance.record import read_provenance


def finished_study(root: Path) -> dict[str, Any]:
    """The provenance of a results folder, after every file was compared with the manifest.

    Raises PrerequisiteError for a study that is not finished, InputError for one that changed since.
    """
    if not root.is_dir():
        raise NotFoundError(f"{root}: no such folder; name a study's results, such as results/mini")
    if not (root / NAME).is_file():
        raise PrerequisiteError(f"{root}: has no {NAME}, so the study is not finished; finish it first")
    found = check_manifest(root)
    for names, what in ((found.changed, "changed"), (found.missing, "missing"), (found.extra, "extra")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(
                f"{root / names[0]}{more}: {what} since the study was finished; {advice(root, found)}"
            )
    return read_provenance(root)


def outside(root: Path, output: Path) -> None:
    """Refuse to write into a study's results: its manifest would no longer hold."""
    if output.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{output}: lies in the results of the study; name a place outside {root}")


def new_place(output: Path, ours: str) -> None:
    """Refuse to replace a file or folder, unless it holds the file ``ours``, which an export writes.

    Raises InputError naming it.
    """
    if output.is_dir() and ((output / ours).is_file() or not any(output.iterdir())):
        return
    if output.exists():
        raise InputError(f"{output}: exists, and no export made it; name a new one, or remove it")
