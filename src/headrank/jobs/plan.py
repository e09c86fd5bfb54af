"""The jobs of a study as its last start planned them, and how that start ended: what ``headrank status`` counts.

The workflow manager's own notes can only be read by the manager, with its lock and all of its graph. So each start
leaves a plain list of its jobs in the results folder, and which process works on them. A start that asks for the whole
study leaves a second copy, which stays while later starts ask for parts of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headrank.data.atomic import write_text
from headrank.data.digests import file_digest
from headrank.data.files import read_whole
from headrank.data.json_files import MOST_BYTES, parse_json
from headrank.errors import InputError, unreadable
from headrank.jobs.records import FOLDER
from headrank.jobs.remake import CONFIGURATION
from headrank.specs import Natural, read_spec

# Not ``.json``: those files are the records of jobs.
PLAN = f"{FOLDER}/plan.jsonl"
WHOLE = f"{FOLDER}/whole.jsonl"
FAILED = f"{FOLDER}/failed.jsonl"


@dataclass(frozen=True)
class Start:
    """When and by which process a study was started.

    began: nanoseconds since 1970. process: when the process itself began, as the system counts it (``process_began``),
    because numbers of processes come again; 0 where the system does not say. asked: the files and rules asked for,
    none for the whole study. messages: the workflow manager's own log. configuration: SHA-256 of the kept configuration
    (``headrank.jobs.remake``); empty where none was kept.
    """

    began: Natural
    host: str
    pid: Natural
    process: Natural
    asked: tuple[str, ...] = ()
    messages: str = ""
    configuration: str = ""


@dataclass(frozen=True)
class Planned:
    """One job: its rule, its log relative to the study's directory, what it writes, and whether it had to run.

    outputs: relative to the study's directory. needed: false for a job that was done when the study was started.
    """

    rule: str
    log: str
    outputs: tuple[str, ...]
    needed: bool


@dataclass(frozen=True)
class Plan:
    """A start and its jobs in the order of the graph."""

    start: Start
    jobs: tuple[Planned, ...]


def keep_plan(
    root: str | os.PathLike[str], jobs: Iterable[Planned], asked: Iterable[str], messages: str
) -> None:
    """Write down what this process is about to run; its configuration is kept already."""
    root, pid = Path(root), os.getpid()
    told = os.path.relpath(messages) if messages else ""
    kept = root / CONFIGURATION
    digest = file_digest(kept) if kept.is_file() else ""
    start = Start(time.time_ns(), socket.gethostname(), pid, process_began(pid), tuple(asked), told, digest)
    text = "".join([_line(asdict(start)), *(_line(asdict(job)) for job in jobs)])
    if not start.asked:
        write_text(root / WHOLE, text)
    write_text(root / PLAN, text)


def keep_failure(root: str | os.PathLike[str]) -> None:
    """Write down that the last start ended because jobs failed, if that can be written: the failure counts more."""
    with contextlib.suppress(InputError, OSError):
        plan = read_plan(root)
        if plan:
            write_text(Path(root) / FAILED, _line({"began": plan.start.began}))


def read_plan(root: str | os.PathLike[str]) -> Plan | None:
    """The last start's plan; None where there is none, as in earlier versions. InputError for a damaged one."""
    return _read(Path(root) / PLAN)


def read_whole_plan(root: str | os.PathLike[str], last: Start) -> Plan | None:
    """The last plan of the whole study with the configuration of the last start; None where there is none.

    With another configuration the study may have had other jobs. InputError for a damaged one.
    """
    plan = _read(Path(root) / WHOLE)
    return plan if plan and plan.start.configuration == last.configuration else None


def _read(place: Path) -> Plan | None:
    if not place.is_file():
        return None
    try:
        found = [parse_json(line) for line in read_whole(place, MOST_BYTES).splitlines()]
        if not found:
            raise ValueError("it is empty")
        start = read_spec(Start, found[0], "start")
        jobs = tuple(read_spec(Planned, job, "job") for job in found[1:])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{place}: ")
        raise unreadable(error)(
            f"{place}: no readable list of jobs ({reason}); start the study again"
        ) from None
    return Plan(start, jobs)


def has_failed(root: str | os.PathLike[str], start: Start) -> bool:
    """Whether the workflow manager ended this start because jobs failed."""
    place = Path(root) / FAILED
    try:
        told = parse_json(read_whole(place, MOST_BYTES))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("began") == start.began


def is_at_work(start: Start) -> bool | None:
    """Whether the process that started the study still runs; None where it ran on another machine."""
    if start.host != socket.gethostname():
        return None
    try:
        os.kill(start.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It is another user's, so it is there.
        pass
    return process_began(start.pid) == start.process and not _is_dead(start.pid)


def process_began(pid: int) -> int:
    """When a process began, in the system's clock ticks since it was booted; 0 where this cannot be told."""
    fields = _status(pid)
    return int(fields[19]) if len(fields) > 19 else 0


def _is_dead(pid: int) -> bool:
    """Whether a process has ended and only its parent has not yet noticed."""
    return _status(pid)[:1] in (["Z"], ["X"])


def _status(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` after the name, which may hold blanks and brackets."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return []


def _line(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False)}\n"
