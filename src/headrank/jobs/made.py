"""What the jobs of a study made, so that a file which changed afterwards is used by no job and listed as nobody's.

When a job ends it writes the SHA-256 of its files into ``.made`` in the results folder; when one begins it compares
the files that it reads with these records. The workflow manager goes by dates, which cannot tell a file that a job made
from one that was edited, and does not see a byte that changed under the same date.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from headrank.data.atomic import clear_unfinished, write_json, write_text
from headrank.data.digests import file_digest, files_under
from headrank.data.json_files import read_object
from headrank.errors import InputError
from headrank.specs import Natural, read_spec

FOLDER = ".made"
CONFIGURATION = f"{FOLDER}/configuration.yaml"
# First line of the kept configuration: what the lines below it must hash to.
_VOUCHED = "# sha256: "
# Bytes from which on a file takes time to read: a job goes by its state, if that is as when the file was hashed.
_LARGE = 64 << 20


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
                # Where a record is damaged, those of later jobs still say which folder theirs was.
                found[name] = next((part for part in above if part in self._read_by_others), name)
                continue
            own = next(output for output in made.outputs if output == name or output in above)
            found.setdefault(id(made), own)
        return list(dict.fromkeys(found.values()))


def read_record(path: Path) -> Made:
    """One job's record; InputError when it is damaged. Records of earlier versions have no states."""
    content = read_object(path, "job's record")
    try:
        return read_spec(Made, content, "record")
    except InputError as error:
        raise InputError(f"{path}: no readable job's record ({error})") from None


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
            state = _state(root / file)
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


def keep_configuration(root: str | os.PathLike[str], config: Mapping[str, Any]) -> None:
    """Keep the configuration that a study was started with, for the command that makes files anew."""
    import yaml

    plain = json.loads(json.dumps(config))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    write_text(Path(root) / CONFIGURATION, f"{_VOUCHED}{_sha256(text)}\n{text}")


def configuration_is_whole(root: str | os.PathLike[str]) -> bool:
    """Whether the kept configuration is as it was written; true where there is none, as in earlier versions."""
    place = Path(root) / CONFIGURATION
    try:
        first, _, rest = place.read_bytes().decode("utf-8", "replace").partition("\n")
    except FileNotFoundError:
        return True
    # Earlier versions wrote no digest.
    return first == f"{_VOUCHED}{_sha256(rest)}" if first.startswith(_VOUCHED) else bool(rest)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def remake(records: Records, names: Iterable[str]) -> str:
    """The command that makes the jobs of these files run again, and no others that have nothing to do."""
    root = records.root.resolve()
    base = root.parents[1]
    kept = root / CONFIGURATION
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
