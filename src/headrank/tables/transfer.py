"""Heads found on one benchmark and used on another."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from headrank.tables.names import backbone_name, benchmark_name
from headrank.tables.table import Cell, Column, Table, bold_best, number_cell, text_cell
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = "How well heads found on one benchmark rank the queries of another."
FRAMES = {"transfer": "transfer/{backbone}"}
OPTIONS = {"metric": "metric", "backbones": "backbones", "benchmarks": "common"}
NEEDS = ("several_benchmarks", "training")


def transfer_table(
    transfer: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
) -> Table:
    """One row per backbone and benchmark on which heads were found, one column per benchmark that they ranked.

    transfer: columns backbone, source, benchmark, count, value, as from ``headrank.heads.transfer``. A pair without a
    value has a dash. Raises InputError for missing columns, and for a pair given twice.
    """
    require(transfer, ["backbone", "source", "benchmark", "count", "value"], "transfer")
    require_unique(transfer, ["backbone", "source", "benchmark"], "transfer")
    require_finite(transfer, ["value"], "transfer")
    shown = in_order(transfer["benchmark"], benchmarks, "transfer")
    values = transfer.set_index(["backbone", "source", "benchmark"])["value"].to_dict()
    groups: list[tuple[tuple[Cell, ...], ...]] = []
    for backbone in in_order(transfer["backbone"], backbones, "transfer"):
        rows = [
            [
                text_cell(backbone, backbone_name(backbone)),
                text_cell(source, benchmark_name(source)),
                *(number_cell(values.get((backbone, source, name)), 3) for name in shown),
            ]
            for source in shown
        ]
        for column in range(2, len(shown) + 2):
            rows = bold_best(rows, column)
        groups.append(tuple(map(tuple, rows)))
    columns = [
        Column("backbone", "Backbone", numeric=False),
        Column("source", "Heads found on", numeric=False),
        *(Column(name, benchmark_name(name)) for name in shown),
    ]
    counts = sorted(set(transfer["count"]))
    many = " or ".join(map(str, counts))
    caption = (
        f"Do heads found on one benchmark serve another? {metric} of the {many} heads that alone rank half of the "
        f"row's queries best, on the other half of the column's queries, and the other way round; a query is in the "
        f"same half in all benchmarks. Raw masses, nothing is trained. Bold: best heads for a benchmark."
    )
    return Table(tuple(columns), tuple(groups), caption, "tab:transfer")
