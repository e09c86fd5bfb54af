"""What the jobs of a study made, so that a file which changed afterwards is used by no job and listed as nobody's.

When a job ends it writes a record of its files (``headrank.jobs.records``); when one begins it compares the files that
it reads with the records of the jobs that made them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from headrank.data.atomic import clear_unfinished, write_json
from headrank.data.digests import file_digest, files_under
from headrank.errors import InputError
from headrank.jobs.records import FOLDER, Made, Records, state_of
from headrank.jobs.remake import remake

# Bytes from which on a file takes time to read: a job goes by its state, if that is as when the file was hashed.
_LARGE = 64 << 20


def record_job(
    log: str | os.PathLike[str], inputs: Iterable[str], outputs: Iterable[str], last: int = 0
) -> None:
    """Write the record of a job that has ended; nothing for one that writes no results.

    last: end of the newest job when this one began, which is never later, whatever the clock says.
    """
    made = [str(output) for output in outputs]
    root = results_of(made)
    if root is None:
        return
    own = _inside(root, made)
    files: dict[str, str] = {}
    states: dict[str, tuple[int, ...]] = {}
    for name in own:
        place = root / name
        inner = [f"{name}/{file}" for file in files_under(place)] if place.is_dir() else [name]
        for file in inner:
            # Before the file is read: if it changes meanwhile, its state no longer is this one.
            state = state_of(root / file)
            files[file] = file_digest(root / file)
            if state and state[0] >= _LARGE:
                states[file] = state
    record = Made(tuple(_inside(root, inputs)), tuple(own), files, max(time.time_ns(), last + 1), states)
    place = _place(root, Path(log))
    clear_unfinished([place])
    write_json(place, asdict(record))


def check_inputs(inputs: Iterable[str], outputs: Iterable[str]) -> int:
    """Raise InputError if a file that a job is about to read is not as the job that made it left it.

    Returns when the newest job ended (nanoseconds since 1970, 0 if there is none).
    """
    root = results_of(map(str, outputs))
    if root is None or not (root / FOLDER).is_dir():
        return 0
    records = Records(root)
    read = _inside(root, inputs)
    if lost := records.lost(name for name in read if name not in records.of_output):
        raise InputError(
            f"{next(iter(records.unreadable.values()))}, so nobody knows how {root / lost[0]} was made; make it anew:"
            f" {remake(records, lost)}"
        )
    if changed := records.changed(read, quick=True):
        more = f" (nor are {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise InputError(
            f"{root / changed[0]}: not as its job made it{more}; make it anew: {remake(records, changed)}"
        )
    return records.last


def results_of(outputs: Iterable[str]) -> Path | None:
    """The results folder that a job writes to, ``results/STUDY``, from its outputs."""
    first = next(iter(outputs), None)
    parts = Path(first).parts if first else ()
    return Path(*parts[:2]) if len(parts) > 2 and parts[0] == "results" else None


def _inside(root: Path, paths: Iterable[str]) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in paths if Path(path).is_relative_to(root)]


def _place(root: Path, log: Path) -> Path:
    """The file of a job's record: named as its log, which no other job has."""
    inner = Path(*log.parts[2:]) if log.parts[:2] == ("logs", root.name) else Path(log.name)
    return root / FOLDER / inner.with_suffix(".json")
