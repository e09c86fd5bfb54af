"""The manifest of a results folder: the SHA-256 of every artefact, and what has changed since it was written.

The format is that of ``sha256sum``, so that ``cd results/STUDY && sha256sum --check manifest.sha256`` works too.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from headrank.data.atomic import write_text
from headrank.data.digests import digest_line, file_digest, files_under
from headrank.data.lines import open_lines
from headrank.errors import InputError, NotFoundError
from headrank.jobs.records import FOLDER, Records
from headrank.jobs.remake import CONFIGURATION, configuration_is_whole, remake
from headrank.provenance.record import NAME as PROVENANCE
from headrank.provenance.time import is_time

logger = logging.getLogger(__name__)

NAME = "manifest.sha256"
# Not in the manifest: measured times, which a rerun of one job changes; what the target bench measures, which is not
# part of the study; and the report, the summary and the demo's page, which are made from the finished folder.
_BENCHED = tuple(
    f"{folder}/{name}.{ending}"
    for folder, endings in (("tables", ("csv", "md", "tex")), ("figures", ("pdf", "png")))
    for name in ("speed", "growth")
    for ending in endings
)
ASIDE = (
    NAME,
    "benchmarks",
    "bench",
    "metrics/speed",
    "metrics/growth",
    *_BENCHED,
    "report.html",
    "report.zip",
    "report",
    "summary.pdf",
    "explain.html",
)
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


@dataclass(frozen=True)
class Findings:
    """How a folder differs from its manifest; paths are relative to the folder, sorted."""

    listed: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not (self.changed or self.missing or self.extra)


def artefacts(root: str | os.PathLike[str]) -> list[str]:
    """The files that a manifest covers: all of the folder except the manifest itself and the others in ``ASIDE``."""
    return files_under(root, ASIDE)


def write_manifest(root: str | os.PathLike[str], finished: Iterable[str] = ()) -> Path:
    """List every artefact of a results folder with its digest, sorted by path; returns the file written.

    Where jobs left records, the files and digests are those that the jobs made: one that has changed since, or is no
    job's, is not vouched for. finished: what the study is made for, relative to the folder; a file that went into it is
    listed even if it is missing, and a warning names the command that makes it anew: a study that was killed while it
    made a part again goes on without that part, because what was made of it is still there. Raises InputError when
    there is nothing to list, and when a link points to a file that is not there.
    """
    records = Records(root)
    if records.unreadable:
        raise InputError(
            f"{next(iter(records.unreadable.values()))}; {_command(records, records.lost(artefacts(root)))}"
        )
    if records:
        needed = records.before(finished)
        digests = {
            name: made.files[name]
            for name, made in records.of_file.items()
            if not _aside(name) and (name in needed or os.path.lexists(Path(root) / name))
        }
        gone = sorted(name for name in digests if not os.path.lexists(Path(root) / name))
        if gone:
            others = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
            logger.warning(
                "%s/%s went into the study and is not there%s; %s",
                root,
                gone[0],
                others,
                _command(records, gone),
            )
        return _written(root, digests)
    names = artefacts(root)
    if not names:
        raise InputError(f"{root}: the folder holds no artefact, nothing to list")
    digests = {}
    for name in names:
        try:
            digests[name] = file_digest(Path(root) / name)
        except FileNotFoundError:
            raise InputError(f"{root}/{name}: links to a file that is not there; remove or mend it") from None
    return _written(root, digests)


def _written(root: str | os.PathLike[str], digests: Mapping[str, str]) -> Path:
    target = Path(root) / NAME
    write_text(target, "".join(digest_line(digests[name], name) for name in sorted(digests)))
    return target


def _aside(name: str) -> bool:
    return any(name == aside or name.startswith(f"{aside}/") for aside in ASIDE)


def read_manifest(path: str | os.PathLike[str]) -> dict[str, str]:
    """Relative path -> digest; InputError naming the line that is not ``digest  path`` or leaves the folder."""
    listed: dict[str, str] = {}
    for number, line in open_lines(path):
        match = _LINE.fullmatch(line.rstrip("\r\n"))
        if not match:
            raise InputError(f"{path}:{number}: expected a SHA-256 digest, two blanks and a path")
        digest, name = match.groups()
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise InputError(f"{path}:{number}: {name} leaves the folder of the manifest")
        if name in listed:
            raise InputError(f"{path}:{number}: {name} is listed twice")
        listed[name] = digest
    if not listed:
        raise InputError(f"{path}: the manifest is empty")
    return listed


def check_manifest(root: str | os.PathLike[str]) -> Findings:
    """Compare a results folder with its manifest, reading every file; InputError without a readable manifest.

    A measured time may also be as its job made it: when a job is repeated, only its times differ.
    """
    place = Path(root)
    if not place.is_dir():
        raise NotFoundError(f"{place}: no such folder")
    records = Records(place)
    try:
        listed = read_manifest(place / NAME)
    except InputError as error:
        if not records:
            raise
        raise type(error)(f"{error}; {_command(records, [NAME])}") from None
    changed, missing = [*records.unreadable], []
    if not configuration_is_whole(place):
        changed.append(CONFIGURATION)
    for name, digest in listed.items():
        try:
            found = file_digest(place / name)
            if found != digest and not (is_time(name) and found == records.digest(name)):
                changed.append(name)
        except (FileNotFoundError, NotADirectoryError):
            missing.append(name)
        except IsADirectoryError:
            changed.append(name)
    extra = [name for name in artefacts(place) if name not in listed]
    return Findings(len(listed), tuple(sorted(changed)), tuple(sorted(missing)), tuple(extra))


def advice(root: str | os.PathLike[str], found: Findings) -> str:
    """What to do about the findings: the command that makes anew exactly what changed or is missing."""
    parts = ["remove what is extra"] if found.extra else []
    if CONFIGURATION in found.changed:
        parts.append(
            "run again with the study's own configuration file: snakemake --cores all --configfile FILE --force"
            f" {Path('results', Path(root).resolve().name, NAME)}"
        )
    records = Records(root)
    bad = [name for name in (*found.changed, *found.missing) if not name.startswith(f"{FOLDER}/")]
    # A job that has no record any more is run again: what it made is all that the manifest lists and no record covers.
    bad += [name for name in records.lost([*read_manifest(Path(root, NAME)), NAME]) if name not in bad]
    if bad:
        # A file that is as its job made it has outlived the manifest.
        names = [name for name in bad if records.digest(name) is None or records.changed([name])]
        # Nor does the manifest hold for what is never made twice alike.
        if len(names) < len(bad) or any(name == PROVENANCE or is_time(name) for name in names):
            names.append(NAME)
        parts.append(_command(records, names))
    elif records.unreadable:
        parts.append(f"remove {', '.join(str(records.root / name) for name in records.unreadable)}")
    return "; ".join(parts)


def _command(records: Records, names: Iterable[str]) -> str:
    if not records:
        return "run the study again"
    if records.root.resolve().parent.name != "results":
        return "copy the study's folder again"
    return f"make anew: {remake(records, names)}"
