"""A study's status as lines for people, and as plain values for programs."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from headrank.status.headlines import headline
from headrank.status.jobs import AT_WORK, DONE, FAILED, LEFT, UNFINISHED, Job, Study

# How many failed or running jobs are shown, and characters of a log's last line.
_SHOWN = 20
_LINE = 160
# How many of the files and rules that were asked for are named.
_NAMED = 2


def head_line(study: Study, now: int) -> str:
    """The study's state and its counts of jobs."""
    counts = _counts(study.jobs)
    if study.state == "unknown":
        counts[0] = f"{study.count(DONE)} jobs done"
    return f"{os.path.relpath(study.root)}: {_state(study, now)}: {', '.join(counts)}"


def part_line(study: Study) -> str:
    """How far the part is that the last start was asked for; empty where it was the whole study."""
    if not study.part:
        return ""
    if not study.whole:
        return "Only this part is counted: no start of the whole study with this configuration is known."
    return f"last start: {_asked(study)}: {', '.join(_counts(study.part))}"


def rule_line(study: Study, rule: str) -> str:
    """How many of a rule's jobs are done, how long they took together, and the headline of a rule that is done."""
    jobs = [job for job in study.jobs if job.rule == rule]
    done = [job for job in jobs if job.state == DONE]
    seconds = sum(job.seconds for job in done if not math.isnan(job.seconds))
    told = ""
    if len(done) == len(jobs):
        told = headline(rule, study.root, [output for job in done for output in job.outputs])
    line = f"  {rule:16} {f'{len(done)}/{len(jobs)}':>9} {duration(seconds) if done else '':>9}  {told}"
    return line.rstrip()


def rule_lines(study: Study) -> Iterator[str]:
    """A line for each rule of which a job is done, in the order of the graph."""
    for rule in begun_rules(study):
        yield rule_line(study, rule)


def begun_rules(study: Study) -> list[str]:
    """The rules of which a job is done."""
    return list(dict.fromkeys(job.rule for job in study.jobs if job.state == DONE))


def done_rules(study: Study) -> list[str]:
    """The rules of which all jobs are done."""
    open_ones = {job.rule for job in study.jobs if job.state != DONE}
    return [rule for rule in begun_rules(study) if rule not in open_ones]


def job_lines(study: Study, states: tuple[str, ...] = (FAILED, UNFINISHED, AT_WORK)) -> Iterator[str]:
    """The jobs that are neither done nor left, each with its log and the log's last line."""
    for state in states:
        jobs = [job for job in study.jobs if job.state == state]
        for job in jobs[:_SHOWN]:
            yield f"{state}: {_title(job)}, {_silence(job)}: {job.log}"
            yield f"    {job.line[:_LINE] or '(nothing in it)'}"
        if len(jobs) > _SHOWN:
            yield f"{state}: {len(jobs) - _SHOWN} more"


def left_line(study: Study) -> str:
    """How many jobs of which rules are left; empty where none is."""
    counts = Counter(job.rule for job in study.jobs if job.state == LEFT)
    return f"left: {', '.join(f'{rule} {count}' for rule, count in counts.items())}" if counts else ""


def advice(study: Study) -> str:
    """What to do next; empty where there is nothing to do."""
    if study.state == "interrupted" and study.part and all(job.state == DONE for job in study.part):
        return "The last start made what it was asked for; what is left needs a start of the whole study."
    if study.state == "interrupted":
        return (
            "It stopped before it was done. Start it again with the same command: finished jobs are kept. If Snakemake"
            " says that the folder is locked, run the command once with --unlock before (docs/reliability.md). On a"
            " cluster, cancel the jobs that it had submitted first (docs/cluster.md)."
        )
    if study.state == FAILED:
        told = "Mend what the log says and start it again with the same command: finished jobs are kept."
        if study.start and not study.count(FAILED):
            told = f"No job's log says why; Snakemake's own does: {study.start.messages}. {told}"
        return told
    if study.state == "elsewhere" and study.start:
        return f"Whether it still runs can only be told on {study.start.host}."
    if study.state == "unknown":
        return "No list of its jobs was kept, so nobody knows how many are left; the next start keeps one."
    return ""


def as_values(study: Study) -> dict[str, Any]:
    """The same for programs: numbers that are not known are null."""
    jobs = [{**asdict(job), "outputs": list(job.outputs)} for job in study.jobs]
    for job in jobs:
        for key in ("seconds", "silent"):
            job[key] = None if math.isnan(job[key]) else round(job[key], 3)
    start = study.start
    return {
        "results": os.path.relpath(study.root),
        "state": study.state,
        "counts": {state: study.count(state) for state in (DONE, AT_WORK, FAILED, UNFINISHED, LEFT)},
        "whole": study.whole,
        "started": start and {"seconds": start.began // 10**9, "host": start.host, "pid": start.pid},
        "asked": list(start.asked) if start else [],
        "part": dict(Counter(job.state for job in study.part)) if study.part else None,
        "messages": start.messages if start else None,
        "headlines": {
            rule: told
            for rule in done_rules(study)
            if (
                told := headline(
                    rule, study.root, [o for j in study.jobs if j.rule == rule for o in j.outputs]
                )
            )
        },
        "jobs": jobs,
    }


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them: 0.4 s, 38 s, 12 min, 3 h 20 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _state(study: Study, now: int) -> str:
    start = study.start
    if start is None:
        return study.state
    since = f" for {duration((now - start.began) / 10**9)}" if study.state == AT_WORK else ""
    where = f" (started on {start.host})" if study.state == "elsewhere" else ""
    what = f" ({_asked(study)} asked for)" if study.part and not study.whole else ""
    return f"{study.state}{since}{where}{what}"


def _asked(study: Study) -> str:
    asked = study.start.asked if study.start else ()
    return f"{', '.join(asked[:_NAMED])}{' …' if len(asked) > _NAMED else ''}"


def _counts(jobs: Sequence[Job]) -> list[str]:
    """How many jobs are done, and how many are in each other state in which one is."""
    counts = Counter(job.state for job in jobs)
    others = ((AT_WORK, "running"), (UNFINISHED, "unfinished"), (LEFT, "left"), (FAILED, "failed"))
    done = f"{counts[DONE]} of {len(jobs)} jobs done"
    return [done, *(f"{counts[state]} {word}" for state, word in others if counts[state])]


def _title(job: Job) -> str:
    return f"{job.rule} {job.name}".rstrip()


def _silence(job: Job) -> str:
    return f"last words {duration(job.silent)} ago"
