"""From a metric per query to its means: over queries, then unweighted over benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.errors import InputError
from headrank.tables.names import average_name, benchmark_name
from headrank.tables.tidy import require, require_finite, require_unique

_KEYS = ["backbone", "benchmark", "method", "qid"]
Means = dict[tuple[str, str, str], float]


def benchmark_means(metrics: pd.DataFrame, metric: str) -> Means:
    """Mean of ``metric`` over queries by (backbone, benchmark, method), in order of appearance.

    metrics: columns backbone (empty: none), benchmark, method, qid, metric, value; one row per query. Raises
    InputError when methods of one benchmark were not evaluated on the same queries: their means would not
    be comparable.
    """
    require(metrics, [*_KEYS, "metric", "value"], "metrics")
    what = f"metrics ({metric})"
    chosen = metrics[metrics["metric"] == metric]
    if chosen.empty:
        known = ", ".join(sorted(map(str, metrics["metric"].unique())))
        raise InputError(f"{what}: no such rows; it has {known}")
    chosen = chosen.assign(backbone=chosen["backbone"].fillna("").astype(str))
    require_unique(chosen, _KEYS, what)
    require_finite(chosen, ["value"], what)
    means: Means = {}
    reference: dict[str, tuple[str, set[str]]] = {}
    for key, rows in chosen.groupby(_KEYS[:3], sort=False):
        backbone, benchmark, method = map(str, key)
        name = f"{method} ({backbone})" if backbone else method
        queries = set(rows["qid"].astype(str))
        other, expected = reference.setdefault(benchmark, (name, queries))
        if queries != expected:
            differing = sorted(queries ^ expected)
            raise InputError(
                f"{what}: {name} and {other} were evaluated on different queries of {benchmark} "
                f"({len(differing)} differ, first {differing[0]}); evaluate both on all of them"
            )
        means[backbone, benchmark, method] = float(rows["value"].mean())
    return means


def over_benchmarks(means: Means, backbone: str, method: str, benchmarks: Sequence[str]) -> float | None:
    """Unweighted mean over ``benchmarks``; None when one is missing, as that would be a different mean."""
    keys = [(backbone, benchmark, method) for benchmark in benchmarks]
    if any(key not in means for key in keys):
        return None
    return sum(means[key] for key in keys) / len(keys)


def check_averages(means: Means, averages: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError for an average over a benchmark on which nothing was evaluated."""
    evaluated = {benchmark for _, benchmark, _ in means}
    for name, members in averages.items():
        absent = [benchmark for benchmark in members if benchmark not in evaluated]
        if absent or not members:
            what = f"no rows for {', '.join(absent)}" if absent else "it names no benchmark"
            raise InputError(f"average {name}: {what}; evaluated are {', '.join(sorted(evaluated))}")


def averages_legend(averages: Mapping[str, Sequence[str]], how: str = "unweighted mean over") -> str:
    """The sentences of a caption that say which benchmarks each average is over."""
    return "".join(
        f" {average_name(name)}: {how} {', '.join(map(benchmark_name, members))}."
        for name, members in averages.items()
    )
