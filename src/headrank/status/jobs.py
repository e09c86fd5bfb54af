"""The jobs of one study and what has become of each, from its plan, the records of finished jobs and the logs."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrank.data.files import MIB, read_whole
from headrank.errors import InputError, NotFoundError
from headrank.jobs.plan import Plan, Planned, Start, has_failed, is_at_work, read_plan, read_whole_plan
from headrank.jobs.records import FOLDER, read_record
from headrank.status.logs import log_end

# Written by the last job of a study.
_LAST = "manifest.sha256"
_NANOSECONDS = 10**9
# A log is closed a moment after its job's record was written.
_CLOSING = 5 * _NANOSECONDS

DONE, AT_WORK, FAILED, UNFINISHED, LEFT = "done", "running", "failed", "unfinished", "left"


@dataclass(frozen=True)
class Job:
    """One job. state: ``done``, ``running``, ``failed``, ``unfinished`` (begun, its end unknown) or ``left``.

    rule, name: the log's folder and its place in it, such as ``train`` and ``small/headrank``. log: its path from the
    working directory. line: the log's last line, for jobs that are neither done nor left. seconds: how long a done job
    took; NaN where that is not known. silent: seconds since another one's log was last written; NaN for a job that is
    left. outputs: files and folders, relative to the results folder.
    """

    rule: str
    name: str
    state: str
    log: str
    line: str = ""
    seconds: float = math.nan
    silent: float = math.nan
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study as it is now.

    state: ``finished``, ``running``, ``interrupted``, ``failed``; ``elsewhere`` where another machine started it, and
    may still work on it; ``unknown`` where no list of its jobs was kept. start: its last start, None where unknown.
    jobs: all of the study's, and those that the last start added. part: those of them that the last start was asked
    for, if it was asked for less than the whole. whole: false where nobody knows all of the study's jobs.
    """

    root: Path
    state: str
    jobs: tuple[Job, ...]
    start: Start | None
    part: tuple[Job, ...]
    whole: bool

    def count(self, state: str) -> int:
        """How many jobs are in a state."""
        return sum(job.state == state for job in self.jobs)


def read_study(results: str | os.PathLike[str], now: int) -> Study:
    """The study of a results folder. now: nanoseconds since 1970.

    Raises NotFoundError where there is no study, and InputError when the list of its jobs is damaged. Nothing is
    locked, loaded or written.
    """
    root = Path(results).resolve()
    if not root.is_dir():
        raise NotFoundError(f"{results}: no such folder{_others(root)}")
    plan = read_plan(root)
    if plan is not None:
        return _planned(root, plan, now)
    if not (root / FOLDER).is_dir() and not (root / _LAST).is_file():
        raise NotFoundError(f"{results}: holds no study (neither records of jobs nor {_LAST}){_others(root)}")
    return _unplanned(root, now)


def _planned(root: Path, plan: Plan, now: int) -> Study:
    at_work, failed = is_at_work(plan.start), has_failed(root, plan.start)
    last = _jobs(root, plan, bool(at_work) and not failed, failed, now)
    whole = read_whole_plan(root, plan.start) if plan.start.asked else plan
    jobs = last
    if whole and whole is not plan:
        # Another start has followed, so the one that planned these is over.
        jobs = _jobs(root, whole, False, has_failed(root, whole.start), now) | last
    states = {job.state for job in jobs.values()}
    if states <= {DONE}:
        state = "finished"
    elif failed:
        state = FAILED
    elif at_work is None:
        state = "elsewhere"
    elif at_work:
        state = AT_WORK
    else:
        state = FAILED if FAILED in states else "interrupted"
    part = tuple(last.values()) if plan.start.asked else ()
    return Study(root, state, tuple(jobs.values()), plan.start, part, whole is not None)


def _jobs(root: Path, plan: Plan, at_work: bool, failed: bool, now: int) -> dict[str, Job]:
    """What has become of a plan's jobs, by their logs."""
    return {job.log: _job(root, job, plan.start, at_work, failed, now) for job in plan.jobs}


def _job(root: Path, planned: Planned, start: Start, at_work: bool, failed: bool, now: int) -> Job:
    """What has become of one job. at_work: the start still runs. failed: it ended because jobs failed."""
    # Without ``logs/STUDY``: the folder may have been copied under another name. Names of models have dots, too.
    place = Path(*Path(planned.log).parts[2:]).with_suffix("")
    log = _logs(root) / f"{place}.log"
    there = all((root / output).exists() for output in planned.outputs)
    record = root / FOLDER / f"{place}.json"
    try:
        ended = read_record(record).ended if record.is_file() else 0
    except InputError:
        ended = 0
    if there and (not planned.needed or ended > start.began):
        return _made(root, place, log, DONE, planned.outputs)
    begun = _changed(log)
    if begun < start.began:
        return _made(root, place, log, LEFT, planned.outputs)
    end = log_end(log)
    state = {"failed": FAILED, "interrupted": UNFINISHED}.get(end.kind)
    if state is None:
        state = AT_WORK if at_work else FAILED if failed else UNFINISHED
    return _made(root, place, log, state, planned.outputs, end.line, (now - begun) / _NANOSECONDS)


def _unplanned(root: Path, now: int) -> Study:
    """A study that an earlier version started, or whose list of jobs was not copied, by its records and logs."""
    records = {path.relative_to(root / FOLDER).with_suffix(""): path for path in _records(root)}
    logs = {
        path.relative_to(_logs(root)).with_suffix(""): path for path in sorted(_logs(root).rglob("*.log"))
    }
    jobs = []
    for place in sorted({*records, *logs}):
        log = logs.get(place, _logs(root) / f"{place}.log")
        try:
            made = read_record(records[place]) if place in records else None
        except InputError:
            made = None
        if made and made.ended + _CLOSING >= _changed(log):
            jobs.append(_made(root, place, log, DONE, made.outputs))
        elif log.is_file():
            end = log_end(log)
            state = FAILED if end.kind == "failed" else UNFINISHED
            silent = (now - _changed(log)) / _NANOSECONDS
            jobs.append(_made(root, place, log, state, (), end.line, silent))
    finished = (root / _LAST).is_file() and all(job.state == DONE for job in jobs)
    return Study(root, "finished" if finished else "unknown", tuple(jobs), None, (), finished)


def _made(
    root: Path,
    place: Path,
    log: Path,
    state: str,
    outputs: tuple[str, ...],
    line: str = "",
    silent: float = math.nan,
) -> Job:
    """A job by the place of its log: ``RULE/NAME``, or ``RULE`` for a rule of a single job."""
    rule, *inner = place.parts
    done = state == DONE
    seconds = _measured(root / "benchmarks" / place.parent / f"{place.name}.tsv") if done else math.nan
    return Job(rule, "/".join(inner), state, os.path.relpath(log), line, seconds, silent, outputs)


def _records(root: Path) -> Iterator[Path]:
    paths = sorted((root / FOLDER).rglob("*.json"))
    # What begins with a full stop is being written, or was when its job was killed.
    return (path for path in paths if not path.name.startswith("."))


def _logs(root: Path) -> Path:
    """``logs/STUDY`` of the folder in which ``results/STUDY`` is."""
    return root.parents[1] / "logs" / root.name


def _changed(path: Path) -> int:
    """When a file was last written, in nanoseconds since 1970; 0 for one that is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _measured(benchmark: Path) -> float:
    """Wall seconds in one of the workflow manager's benchmark files; NaN where there is none."""
    try:
        text = read_whole(benchmark, MIB).decode("utf-8")
        return float(next(csv.DictReader(io.StringIO(text), delimiter="\t"))["s"])
    except (OSError, StopIteration, KeyError, TypeError, ValueError, csv.Error):
        return math.nan


def _others(root: Path) -> str:
    """The studies next to a folder that is none."""
    found = [place.parent.name for place in sorted(root.parent.glob(f"*/{FOLDER}"))]
    return f"; studies in {os.path.relpath(root.parent)}: {', '.join(found[:10])}" if found else ""
