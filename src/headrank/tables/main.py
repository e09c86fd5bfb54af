"""Main results: a metric by method, benchmark and backbone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from headrank.tables.marks import MEAN, against, key_of_mean, legend, superscript
from headrank.tables.means import benchmark_means, over_benchmarks
from headrank.tables.names import backbone_name, benchmark_name, by_method, method_name
from headrank.tables.table import Cell, Column, Table, bold_best, number_cell, text_cell
from headrank.tables.tidy import in_order


def main_table(
    metrics: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    *,
    baseline: str = "core",
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> Table:
    """One row per method and backbone, first stage (backbone "") on top; best of each backbone in bold.

    metrics: columns backbone, benchmark, method, qid, metric, value, a row per query. marks: see
    ``marks.against``; a superscript tells a significant difference to ``baseline`` (alpha: for the caption).
    backbones, benchmarks, methods: which to show and in which order (default: all). Raises InputError for
    missing columns or rows, or when methods were evaluated on different queries.
    """
    means = benchmark_means(metrics, metric)
    shown_benchmarks = in_order((key[1] for key in means), benchmarks, "metrics")
    shown_backbones = in_order((key[0] for key in means if key[0]), backbones, "metrics")
    shown_methods = in_order(by_method(key[2] for key in means), methods, "metrics")
    tests = {} if marks is None else against(marks, baseline)

    groups = []
    for backbone in ["", *shown_backbones]:
        present = {key[2] for key in means if key[0] == backbone}
        rows: list[list[Cell]] = []
        for method in (method for method in shown_methods if method in present):
            row = [
                text_cell(backbone, backbone_name(backbone) or "–"),
                text_cell(method, method_name(method)),
            ]
            values = {name: means.get((backbone, name, method)) for name in shown_benchmarks}
            values[MEAN] = over_benchmarks(means, backbone, method, shown_benchmarks)
            tested = {name: (backbone, name, method) for name in shown_benchmarks}
            tested[MEAN] = key_of_mean(backbone, shown_benchmarks, method)
            for name, value in values.items():
                mark = superscript(tests, tested[name])
                row.append(dataclasses.replace(number_cell(value, 3), mark=mark))
            rows.append(row)
        for column in range(2, len(shown_benchmarks) + 3):
            rows = bold_best(rows, column)
        if rows:
            groups.append(tuple(map(tuple, rows)))

    marked = marks is not None
    columns = [Column("backbone", "Backbone", numeric=False), Column("method", "Method", numeric=False)]
    columns += [Column(name, benchmark_name(name), marked=marked) for name in shown_benchmarks]
    columns.append(Column(MEAN, "Mean", marked=marked))
    caption = (
        f"{metric} by method, benchmark and backbone. Mean: unweighted over benchmarks. "
        f"Bold: best of each backbone."
    )
    if marked:
        caption += f" {legend(method_name(baseline), alpha)}"
    return Table(tuple(columns), tuple(groups), caption, "tab:main")
