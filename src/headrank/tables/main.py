"""Main results: a metric by method, benchmark and backbone."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.methods.table import KINDS, kind_of
from headrank.tables.marks import MEAN, against, key_of_mean, legend, superscript
from headrank.tables.means import averages_legend, benchmark_means, check_averages, over_benchmarks
from headrank.tables.names import average_name, backbone_name, benchmark_name, by_method, method_name
from headrank.tables.table import MISSING, Cell, Column, Table, bold_best, number_cell, text_cell
from headrank.tables.tidy import in_order

CAPTION = "Main results: nDCG of every method on every benchmark, per backbone, with significance marks."
FRAMES = {"metrics": "main", "marks": "significance-main"}
OPTIONS = {
    "metric": "metric",
    "baseline": "baseline",
    "backbones": "backbones",
    "benchmarks": "panel",
    "averages": "averages",
    "alpha": "alpha",
    "first_stage": "first_stage",
}


def main_table(
    metrics: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    *,
    baseline: str = "core",
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    averages: Mapping[str, Sequence[str]] | None = None,
    alpha: float = 0.05,
    first_stage: str | None = None,
) -> Table:
    """One row per method and backbone, by kind, first stage (backbone "") on top; best of each backbone in bold.

    metrics: columns backbone, benchmark, method, qid, metric, value, a row per query. marks: see
    ``marks.against``; a superscript marks a significant difference to ``baseline`` (alpha: for the caption).
    backbones, benchmarks, methods: which to show and in which order, methods within their kind (default: all).
    averages: further means, by name, each over the benchmarks that it lists; they follow the mean over all.
    first_stage: what it is called (``names.method_name``).
    A method that was not evaluated on a benchmark has a dash there and no mean. Raises InputError for
    missing columns or rows, or when methods were evaluated on different queries of a benchmark.
    """
    means = benchmark_means(metrics, metric)
    averages = averages or {}
    check_averages(means, averages)
    shown_benchmarks = in_order((key[1] for key in means), benchmarks, "metrics")
    shown_backbones = in_order((key[0] for key in means if key[0]), backbones, "metrics")
    shown_methods = in_order(by_method(key[2] for key in means), methods, "metrics")
    tests = {} if marks is None else against(marks, baseline)

    groups = []
    for backbone in ["", *shown_backbones]:
        present = {key[2] for key in means if key[0] == backbone}
        here = sorted((method for method in shown_methods if method in present), key=_place_of_kind)
        rows: list[list[Cell]] = []
        for method, before in zip(here, ["", *here], strict=False):
            kind = kind_of(method)
            # A printed table names a kind once; the CSV has it in every row.
            first = not before or kind_of(before) != kind
            row = [
                text_cell(backbone, backbone_name(backbone) or MISSING),
                text_cell(kind, KINDS[kind] if first else ""),
                text_cell(method, method_name(method, first_stage)),
            ]
            values = {name: means.get((backbone, name, method)) for name in shown_benchmarks}
            values[MEAN] = over_benchmarks(means, backbone, method, shown_benchmarks)
            tested = {name: (backbone, name, method) for name in shown_benchmarks}
            tested[MEAN] = key_of_mean(backbone, shown_benchmarks, method)
            for name, value in values.items():
                mark = superscript(tests, tested[name])
                row.append(dataclasses.replace(number_cell(value, 3), mark=mark))
            for name, members in averages.items():
                cell = number_cell(over_benchmarks(means, backbone, method, members), 3)
                row.append(dataclasses.replace(cell, mark=superscript(tests, (backbone, name, method))))
            rows.append(row)
        # Rows without a backbone get no bold: the best order of the candidates is a bound, not a method.
        for column in range(3, len(shown_benchmarks) + 4 + len(averages)) if backbone else ():
            rows = bold_best(rows, column)
        for _, same in itertools.groupby(rows, key=lambda row: row[1].value):
            groups.append(tuple(map(tuple, same)))

    marked = marks is not None
    columns = [
        Column("backbone", "Backbone", numeric=False),
        Column("kind", "Kind", numeric=False),
        Column("method", "Method", numeric=False),
    ]
    columns += [Column(name, benchmark_name(name), marked=marked) for name in shown_benchmarks]
    columns.append(Column(MEAN, "Mean", marked=marked))
    columns += [Column(name, average_name(name), marked=marked) for name in averages]
    caption = (
        f"{metric} by method, benchmark and backbone. Mean: unweighted over benchmarks."
        f"{averages_legend(averages)} Bold: best of each backbone."
    )
    if marked:
        caption += f" {legend(method_name(baseline, first_stage), alpha)}"
    return Table(tuple(columns), tuple(groups), caption, "tab:main")


def _place_of_kind(method: str) -> int:
    return list(KINDS).index(kind_of(method))
