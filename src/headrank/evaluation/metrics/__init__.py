"""One metric, one file, found by its name: ``ndcg@10`` is what ``ndcg.py`` exports as ``METRIC``, cut at 10.

A file added here is known to the configuration, the command line and the lists of names in messages and documentation;
nothing else has to be changed. Names are checked before anything runs, so these files must not import anything large.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from headrank.errors import UsageError, shown
from headrank.evaluation.metric import Kind, Metric

MetricEntry = str | Mapping[str, Any] | Metric
"""``NAME``, ``NAME@K``, ``NAME(rel=LEVEL)@K``, or a mapping with the keys ``name`` and ``relevance_level``."""

# At most as many digits as a rank or a grade can have.
_NAME = re.compile(r"([a-z][a-z0-9_]*)(?:\(rel=([0-9]{1,4})\))?(?:@([1-9][0-9]{0,6}))?")


def kinds() -> dict[str, Kind]:
    """Every metric of this package by its name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").METRIC for name in names}


def spellings() -> list[str]:
    """How metrics are written: ``judged@K``, ``map``, …"""
    return [written for name, kind in kinds().items() for written in kind.spellings(name)]


def read_metrics(entries: Iterable[MetricEntry], where: str = "metrics") -> tuple[Metric, ...]:
    """The metrics of a list, each once.

    where: where the list is from, for the beginning of messages. Raises InputError on an empty list, a name that no
    file has, a cut-off that is missing or that the metric does not take, a relevance level below 1 or for a metric that
    takes none, and a metric that is listed twice.
    """
    metrics = [_read(entry, where) for entry in entries]
    if not metrics:
        raise UsageError(f"{where}: none given, nothing to evaluate")
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{where}: {name!r} is given twice; keep one")
    return tuple(metrics)


def at_level(names: Sequence[str], level: int | None) -> tuple[Metric, ...]:
    """The metrics of a list of names; those that have a relevance level and name none get ``level``, if given."""
    metrics = read_metrics(names)
    if level is None:
        return metrics
    # Read again, so that two spellings of one metric are found.
    return read_metrics(
        [
            metric if metric.kind.graded or "(" in name else replace(metric, level=level)
            for name, metric in zip(names, metrics, strict=True)
        ]
    )


def modules_of_metrics(entries: Iterable[MetricEntry]) -> list[str]:
    """The modules that say what these metrics are, each once."""
    return list(dict.fromkeys(f"{__name__}.{metric.stem}" for metric in read_metrics(entries)))


def main_metric(entries: Sequence[MetricEntry]) -> Metric:
    """The first of a list, which tables and figures show."""
    return read_metrics(entries)[0]


def _read(entry: MetricEntry, where: str) -> Metric:
    if isinstance(entry, Metric):
        return entry
    name, level = (entry, None) if isinstance(entry, str) else (entry["name"], entry.get("relevance_level"))
    match = _NAME.fullmatch(name)
    known = kinds()
    if not match or match[1] not in known or not _takes(known[match[1]], match[3]):
        raise UsageError(f"{where}: {shown(name)} is unknown; known: {', '.join(spellings())}")
    kind = known[match[1]]
    if match[2] is not None and level is not None:
        raise UsageError(f"{where}: {name!r} has two relevance levels; keep one")
    level = int(match[2]) if match[2] is not None else level
    if kind.graded and level is not None:
        raise UsageError(f"{where}: {name!r} counts every grade and takes no relevance level; leave it out")
    if level is not None and level < 1:
        raise UsageError(
            f"{where}: {name!r} with relevance level {level} would make judged-irrelevant documents relevant"
        )
    return Metric(match[1], kind, int(match[3]) if match[3] else None, level or 1)


def _takes(kind: Kind, cutoff: str | None) -> bool:
    return kind.cutoff != "none" if cutoff else kind.cutoff != "required"
