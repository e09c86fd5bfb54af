"""Effectiveness and seconds per query of every method and backbone, and the Pareto front of the two."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.methods.table import kind_of
from headrank.tables.means import benchmark_means, over_benchmarks
from headrank.tables.names import backbone_name, benchmark_name, by_method, method_name
from headrank.tables.table import MISSING, Cell, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, require, require_finite

CAPTION = "nDCG and seconds per query of each method, timed alone."
FRAMES = {"metrics": "main", "seconds": "seconds/{backbone}"}
OPTIONS = {
    "metric": "metric",
    "benchmarks": "clocked",
    "backbones": "backbones",
    "first_stage": "first_stage",
}
NEEDS = ("clock",)


def frontier_points(
    metrics: pd.DataFrame,
    seconds: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    benchmarks: Sequence[str] | None = None,
    backbones: Sequence[str] | None = None,
) -> pd.DataFrame:
    """A row per backbone and method: kind, value, seconds (median over queries), layers, passages, best.

    metrics: see ``main_table``; value: the unweighted mean over ``benchmarks`` (default: all). seconds: columns of
    ``bench.alone`` and backbone. Methods without a value on every benchmark are left out. best: no other method of
    any backbone is at least as good and at least as fast, and better in one of the two. The first stage, which reranks
    nothing, is one row with no backbone and no time.
    """
    require(seconds, ["backbone", "method", "qid", "seconds", "layers", "passages"], "seconds")
    require_finite(seconds, ["seconds"], "seconds")
    means = benchmark_means(metrics, metric)
    shown = in_order((key[1] for key in means), benchmarks, "metrics")
    rows = []
    first = over_benchmarks(means, "", FIRST_STAGE, shown)
    if first is not None:
        rows.append(("", FIRST_STAGE, kind_of(FIRST_STAGE), first, 0.0, 0, 0))
    keys, numbers = ["backbone", "method"], ["seconds", "layers", "passages"]
    medians = seconds.groupby(keys, sort=False)[numbers].median().reset_index()
    for backbone in in_order(seconds["backbone"], backbones, "seconds"):
        found = medians[medians["backbone"] == backbone].set_index("method")
        for method in by_method(found.index):
            value = over_benchmarks(means, backbone, method, shown)
            if value is not None:
                time, layers, passages = (float(found[name][method]) for name in numbers)
                rows.append((backbone, method, kind_of(method), value, time, int(layers), int(passages)))
    points = pd.DataFrame(
        rows, columns=["backbone", "method", "kind", "value", "seconds", "layers", "passages"]
    )
    points["best"] = [
        not _beaten(points, value, time) for value, time in points[["value", "seconds"]].to_numpy()
    ]
    return points


def _beaten(points: pd.DataFrame, value: float, seconds: float) -> bool:
    no_worse = (points["value"] >= value) & (points["seconds"] <= seconds)
    better = (points["value"] > value) | (points["seconds"] < seconds)
    return bool((no_worse & better).any())


def frontier_table(
    metrics: pd.DataFrame,
    seconds: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    benchmarks: Sequence[str] | None = None,
    backbones: Sequence[str] | None = None,
    first_stage: str | None = None,
) -> Table:
    """The points of ``frontier_points``, fastest first within each backbone. first_stage: what it is called."""
    points = frontier_points(metrics, seconds, metric=metric, benchmarks=benchmarks, backbones=backbones)
    groups: list[tuple[tuple[Cell, ...], ...]] = []
    for _, part in points.groupby("backbone", sort=False):
        rows = []
        for row in part.sort_values("seconds", kind="stable").to_dict("records"):
            rows.append(
                (
                    text_cell(row["backbone"], backbone_name(row["backbone"]) or MISSING),
                    text_cell(row["method"], method_name(row["method"], first_stage)),
                    count_cell(row["layers"]) if row["backbone"] else number_cell(None, 0),
                    number_cell(row["seconds"] if row["backbone"] else None, 2),
                    number_cell(row["value"], 3),
                    text_cell("yes" if row["best"] else "", "✓" if row["best"] else ""),
                )
            )
        groups.append(tuple(rows))
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("layers", "Layers"),
        Column("seconds", "Seconds"),
        Column("value", metric),
        Column("best", "Front", numeric=False),
    )
    names = ", ".join(map(benchmark_name, benchmarks)) if benchmarks else "all benchmarks"
    caption = (
        f"Seconds per query of each method alone ({_queries(seconds)}) and {metric}, mean over {names}."
        " Front: no other method is as good and as fast."
    )
    return Table(columns, tuple(groups), caption, "tab:frontier")


def _queries(seconds: pd.DataFrame) -> str:
    count = seconds["qid"].nunique()
    most = int(seconds["passages"].max())
    return f"median of {count} {'query' if count == 1 else 'queries'}, {most} passages"
