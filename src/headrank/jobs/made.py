"""What the jobs of a study made, so that a file which changed afterwards is used by no job and listed as nobody's.

When a job ends it writes the SHA-256 of its files into ``.made`` in the results folder; when one begins it compares
the files that it reads with these records. The workflow manager goes by dates, which cannot tell a file that a job made
from one that was edited, and does not see a byte that changed under the same date.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from headrank.data.atomic import write_json, write_text
from headrank.data.digests import file_digest, files_under
from headrank.data.json_files import read_object
from headrank.errors import InputError
from headrank.specs import Natural, read_spec

FOLDER = ".made"
# Bytes from which on a file takes time to read: a job goes by its state, if that is as when the file was hashed.
_LARGE = 64 << 20
_CONFIGURATION = "configuration.yaml"
_AGAIN = "remove it and run the study again"


@dataclass(frozen=True)
class Made:
    """One job's record; paths are relative to the results folder.

    inputs: what it read there. outputs: what its rule declares, files and folders. files: all files of these, with
    their SHA-256. ended: nanoseconds since 1970, by which the newest of several records of a file is found. states: of
    large files (``_state``) when they were hashed.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    files: Mapping[str, str]
    ended: Natural
    states: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Records:
    """The records of a results folder; for each file, that of the job which made it last."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.of_file: dict[str, Made] = {}
        self.of_output: dict[str, Made] = {}
        for made in sorted(self._read(), key=lambda made: made.ended):
            self.of_file |= dict.fromkeys(made.files, made)
            self.of_output |= dict.fromkeys(made.outputs, made)

    def __bool__(self) -> bool:
        return bool(self.of_file)

    def _read(self) -> Iterator[Made]:
        for path in sorted((self.root / FOLDER).rglob("*.json")):
            # Another job is writing it, or was killed while it did.
            if path.name.startswith("."):
                continue
            # Records of earlier versions have no states.
            content = None
            try:
                content = read_object(path, "job's record")
                yield read_spec(Made, content, "record")
            except InputError as error:
                # What is wrong within the object; the reader of the file has named it.
                told = error if content is None else f"{path}: no readable job's record ({error})"
                raise (type(error) if content is None else InputError)(f"{told}; {_AGAIN}") from None

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
        return known is not None and _state(self.root / file) == known

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
                found[name] = name
                continue
            own = next(output for output in made.outputs if output == name or output in above)
            found.setdefault(id(made), own)
        return list(found.values())


def record_job(log: str | os.PathLike[str], inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """Write the record of a job that has ended; nothing for one that writes no results."""
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
            state = _state(root / file)
            files[file] = file_digest(root / file)
            if state and state[0] >= _LARGE:
                states[file] = state
    record = Made(tuple(_inside(root, inputs)), tuple(own), files, time.time_ns(), states)
    write_json(_place(root, Path(log)), asdict(record))


def check_inputs(inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """Raise InputError if a file that a job is about to read is not as the job that made it left it."""
    root = results_of(map(str, outputs))
    if root is None or not (root / FOLDER).is_dir():
        return
    records = Records(root)
    if changed := records.changed(_inside(root, inputs), quick=True):
        more = f" (nor are {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise InputError(
            f"{root / changed[0]}: not as its job made it{more}; make it anew: {remake(records, changed)}"
        )


def results_of(outputs: Iterable[str]) -> Path | None:
    """The results folder that a job writes to, ``results/STUDY``, from its outputs."""
    first = next(iter(outputs), None)
    parts = Path(first).parts if first else ()
    return Path(*parts[:2]) if len(parts) > 2 and parts[0] == "results" else None


def keep_configuration(root: str | os.PathLike[str], config: Mapping[str, Any]) -> None:
    """Keep the configuration that a study was started with, for the command that makes files anew."""
    import yaml

    plain = json.loads(json.dumps(config))
    write_text(
        Path(root) / FOLDER / _CONFIGURATION, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    )


def remake(records: Records, names: Iterable[str]) -> str:
    """The command that makes the jobs of these files run again, and no others that have nothing to do."""
    root = records.root.resolve()
    base = root.parents[1]
    kept = root / FOLDER / _CONFIGURATION
    words = ["snakemake", "--cores", "all"]
    if base == Path.cwd() and (base / "Snakefile").is_file():
        kept = kept.relative_to(base)
    else:
        words += ["--directory", str(base)]
    targets = [f"{root.parent.name}/{root.name}/{name}" for name in records.targets(names)]
    return shlex.join([*words, "--configfile", str(kept), "--force", *targets])


def _state(path: Path) -> tuple[int, ...] | None:
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


def _inside(root: Path, paths: Iterable[str]) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in paths if Path(path).is_relative_to(root)]


def _place(root: Path, log: Path) -> Path:
    """The file of a job's record: named as its log, which no other job has."""
    inner = Path(*log.parts[2:]) if log.parts[:2] == ("logs", root.name) else Path(log.name)
    return root / FOLDER / inner.with_suffix(".json")
