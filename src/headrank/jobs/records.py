"""The records that jobs leave in ``.made`` of a results folder: what each one read and made, with SHA-256.

The workflow manager goes by dates, which cannot tell a file that a job made from one that was edited, and does not see
a byte that changed under the same date.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from headrank.data.digests import file_digest, files_under
from headrank.data.json_files import read_object
from headrank.errors import InputError
from headrank.specs import Natural, read_spec

FOLDER = ".made"


@dataclass(frozen=True)
class Made:
    """One job's record; paths are relative to the results folder.

    inputs: what it read there. outputs: what its rule declares, files and folders. files: all files of these, with
    their SHA-256. ended: nanoseconds since 1970, by which the newest of several records of a file is found. states: of
    large files (``state_of``) when they were hashed.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    files: Mapping[str, str]
    ended: Natural
    states: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def read_record(path: Path) -> Made:
    """One job's record; InputError when it is damaged. Records of earlier versions have no states."""
    content = read_object(path, "job's record")
    try:
        return read_spec(Made, content, "record")
    except InputError as error:
        raise InputError(f"{path}: no readable job's record ({error})") from None


class Records:
    """The records of a results folder; for each file, that of the job which made it last.

    unreadable: records that are damaged, by their paths relative to the folder, and why.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.unreadable: dict[str, str] = {}
        self.last = 0
        self._read_by_others: set[str] = set()
        self.of_file: dict[str, Made] = {}
        self.of_output: dict[str, Made] = {}
        for made in sorted(self._read(), key=lambda made: made.ended):
            self.of_file |= dict.fromkeys(made.files, made)
            self.of_output |= dict.fromkeys(made.outputs, made)
            self._read_by_others |= {*made.inputs}
            self.last = made.ended

    def __bool__(self) -> bool:
        return bool(self.of_file or self.unreadable)

    def _read(self) -> Iterator[Made]:
        for path in sorted((self.root / FOLDER).rglob("*.json")):
            # Another job is writing it, or was killed while it did.
            if path.name.startswith("."):
                continue
            name = path.relative_to(self.root).as_posix()
            try:
                made = read_record(path)
            except InputError as error:
                self.unreadable[name] = str(error)
            else:
                yield made

    def lost(self, names: Iterable[str]) -> list[str]:
        """Those of the files that no record covers, where one is damaged that may have been theirs."""
        return [name for name in names if name not in self.of_file] if self.unreadable else []

    def digest(self, name: str) -> str | None:
        """What the job that made a file made of it; None for a file of no job."""
        made = self.of_file.get(name)
        return made.files[name] if made else None

    def changed(self, names: Iterable[str], quick: bool = False) -> list[str]:
        """The files, among those named or in folders named, that are not as their jobs made them.

        Files that no job made are not looked at, except in a folder that a job made, where there must be none.
        quick: take large files whose size and times are those of when they were hashed for unchanged.
        """
        found = []
        for name in dict.fromkeys(names):
            made = self.of_output.get(name) or self.of_file.get(name)
            if made is None:
                continue
            inside = f"{name}/"
            files = {file: made.files[file] for file in made.files if file == name or file.startswith(inside)}
            place = self.root / name
            there = [f"{inside}{file}" for file in files_under(place)] if place.is_dir() else []
            found += [file for file in there if file not in files]
            if quick:
                files = {file: digest for file, digest in files.items() if not self._untouched(made, file)}
            found += [file for file, digest in files.items() if not _is(self.root / file, digest)]
        return found

    def _untouched(self, made: Made, file: str) -> bool:
        known = made.states.get(file)
        return known is not None and state_of(self.root / file) == known

    def before(self, names: Iterable[str]) -> set[str]:
        """All files of the jobs on which these files and folders depend, their own jobs included."""
        todo, jobs = list(names), {}
        while todo:
            name = todo.pop()
            made = self.of_output.get(name) or self.of_file.get(name)
            if made and id(made) not in jobs:
                jobs[id(made)] = made
                todo += made.inputs
        return {file for made in jobs.values() for file in made.files}

    def targets(self, names: Iterable[str]) -> list[str]:
        """One output of each job that has to run for these files to be made anew."""
        found: dict[str | int, str] = {}
        for name in names:
            made = self.of_file.get(name)
            above = [str(parent) for parent in PurePosixPath(name).parents]
            made = made or next(
                (self.of_output[parent] for parent in above if parent in self.of_output), None
            )
            if made is None:
                # Where a record is damaged, those of later jobs still say which folder theirs was.
                found[name] = next((part for part in above if part in self._read_by_others), name)
                continue
            own = next(output for output in made.outputs if output == name or output in above)
            found.setdefault(id(made), own)
        return list(dict.fromkeys(found.values()))


def state_of(path: Path) -> tuple[int, ...] | None:
    """Size in bytes, times of change (of content, of anything) in ns, and inode: a write changes the second time, which
    no program can set.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _is(path: Path, digest: str) -> bool:
    try:
        return file_digest(path) == digest
    except OSError:
        return False
