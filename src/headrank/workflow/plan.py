"""The jobs of the workflow manager's graph, as ``headrank status`` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from headrank.jobs.plan import Planned


def planned(dag: Any, results: str) -> Iterator[Planned]:
    """The graph's jobs that write files, those that need not run included. results: the study's folder.

    dag: Snakemake's graph, once it is known which of its jobs have to run.
    """
    root = Path(results)
    levels = (sorted(level, key=_place) for level in dag.toposorted())
    for job in chain.from_iterable(levels):
        if not job.output:
            # A target, which only gathers files.
            continue
        own = (Path(output) for output in job.output)
        outputs = tuple(str(path.relative_to(root)) for path in own if path.is_relative_to(root))
        yield Planned(job.rule.name, _place(job), outputs, bool(dag.needrun(job)))


def _place(job: Any) -> str:
    """A job's log, which no other job has."""
    return str(next(iter(job.log), f"{job.rule.name}.log"))


def asked(dag: Any, default: str) -> list[str]:
    """The files and rules that were asked for, and where the graph was cut; none for the whole study.

    default: the rule of the whole study.
    """
    cuts = {
        "--until": [*dag.untilrules, *dag.untilfiles],
        "--omit-from": [*dag.omitrules, *dag.omitfiles],
    }
    cut = [f"{option} {place}" for option, places in cuts.items() for place in sorted(map(str, places))]
    rules = {rule.name for rule in dag.targetrules}
    if default in rules and not cut:
        return []
    return [*sorted([*(rules - {default}), *map(str, dag.targetfiles)]), *cut]


def first(log: Any) -> str:
    """The manager's own log: it has one path for each of its loggers that writes a file, earlier versions only one."""
    paths = [log] if isinstance(log, str) else list(log)
    return str(paths[0]) if paths else ""
