"""Homogenisation: how alike the middle zone's scores are, before and after training (R12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.tables.means import averages_legend
from headrank.tables.names import average_name, backbone_name, by_method, method_name
from headrank.tables.table import Cell, Column, Table, bold_best, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, records, require_finite

CAPTION = "How alike the scores of the middle zone are, before and after training."
FRAMES = {"measures": "homogenisation-measures"}
OPTIONS = {"backbones": "backbones", "averages": "averages"}
NEEDS = ("training",)

_VALUES = ["zone_cv", "adjacent_ratio", "zone_tau"]


def homogenisation_table(
    measures: pd.DataFrame,
    *,
    backbones: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    averages: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """One row per backbone and method; the most spread and the best ordered zone of each backbone in bold.

    measures: columns backbone, method, over (the average whose queries they are, empty for all queries), queries, and
    the means over queries zone_cv, adjacent_ratio and zone_tau of
    ``headrank.evaluation.homogenisation.homogenisation``. averages: name -> benchmarks; each has its own rows.
    """
    what = "homogenisation measures"
    rows_of = records(measures, ["backbone", "over", "method"], ["queries", *_VALUES], what)
    averages = averages or {}
    require_finite(measures, ["queries", *_VALUES], what)
    shown_methods = in_order(by_method(key[2] for key in rows_of), methods, what)
    columns = (
        Column("backbone", "Backbone", numeric=False),
        *([Column("over", "Over", numeric=False)] if averages else []),
        Column("method", "Method", numeric=False),
        Column("queries", "Queries"),
        Column("zone_cv", "Variation"),
        Column("adjacent_ratio", "Step ratio"),
        Column("zone_tau", "Kendall's tau"),
    )
    groups = []
    shown_backbones = in_order((key[0] for key in rows_of), backbones, what)
    for backbone, over in ((b, o) for b in shown_backbones for o in ("", *averages)):
        rows: list[list[Cell]] = []
        for method in (method for method in shown_methods if (backbone, over, method) in rows_of):
            values = rows_of[backbone, over, method]
            rows.append(
                [
                    text_cell(backbone, backbone_name(backbone)),
                    *([text_cell(over, average_name(over) if over else "all")] if averages else []),
                    text_cell(method, method_name(method)),
                    count_cell(int(values["queries"])),
                    *(number_cell(values[name], 3) for name in _VALUES),
                ]
            )
        for number in range(len(columns) - 3, len(columns)):
            rows = bold_best(rows, number, highest=True)
        if rows:
            groups.append(tuple(map(tuple, rows)))
    caption = (
        "Homogenisation of the middle zone, means over queries. Variation: standard deviation of the zone's scores "
        "over their mean. Step ratio: mean score difference of neighbours in rank inside the zone over that outside "
        "it; a small one means that the middle is flat. Kendall's tau of scores and grades in the zone. Bold: "
        "largest of each group."
    )
    caption += averages_legend(averages, "queries of")
    return Table(columns, tuple(groups), caption, "tab:homogenisation")
