"""Which version of the code is running: git's commit where there is one, and always a digest of the sources."""

from __future__ import annotations

import os
import subprocess
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import headrank
from headrank.data.digests import files_under, folder_digest

UNKNOWN = "unknown"
# A change in any other file, such as a study's configuration, does not change the code.
_CODE = ("Snakefile", "src", "workflow", "envs")
_DIGESTED = ("src", "workflow")
# Written by an installation: its metadata, and what was compiled.
_MADE = (".egg-info", *EXTENSION_SUFFIXES)


def code_version(root: str | os.PathLike[str]) -> dict[str, Any]:
    """The code under a repository's root.

    commit: 40 hex digits, or "unknown" where ``root`` is not the top of a git repository or git is missing; reason
    then says which. dirty: whether Snakefile, src, workflow or envs differ from the commit, new files included; None
    without a commit. sha256: of all files under src and workflow. library: version of the ``headrank`` package that
    runs, and whether its files are those under src (an installed copy may be another).
    """
    place = Path(root).resolve()
    top = _git(place, "rev-parse", "--show-toplevel")
    commit = _git(place, "rev-parse", "HEAD") if top and Path(top).resolve() == place else None
    version: dict[str, Any] = {"commit": commit or UNKNOWN, "dirty": None}
    if commit:
        changed = _git(place, "status", "--porcelain", "--untracked-files=all", "--", *_CODE)
        version["dirty"] = None if changed is None else bool(changed)
    else:
        version["reason"] = "no commit" if top else "no git repository, or no git to read it"
    version["sha256"] = folder_digest(place, sources(place))
    package = Path(headrank.__file__).parent
    beside = place / "src" / "headrank"
    same = beside.is_dir() and folder_digest(package, _plain(package)) == folder_digest(
        beside, _plain(beside)
    )
    version["library"] = {"version": headrank.__version__, "same_as_source": same}
    return version


def sources(root: Path) -> list[str]:
    """The files of src and workflow, relative to ``root``, without what is built from them in the same folders."""
    parts = [name for name in _DIGESTED if (root / name).is_dir()]
    return [f"{part}/{name}" for part in parts for name in _plain(root / part)]


def _plain(root: Path) -> list[str]:
    return [
        name
        for name in files_under(root)
        if not any(part == "__pycache__" or part.endswith(_MADE) for part in name.split("/"))
    ]


def _git(place: Path, *arguments: str) -> str | None:
    """What git prints, or None where it fails; variables that would point it to another repository are dropped."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "-C", str(place), *arguments]
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
