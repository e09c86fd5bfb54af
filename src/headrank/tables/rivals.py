"""HeadRank against every other method: the difference, its interval and its test."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from headrank.methods.table import KINDS, kind_of
from headrank.tables.marks import MEAN
from headrank.tables.names import average_name, backbone_name, benchmark_name, by_method, method_name
from headrank.tables.table import Cell, Column, Table, number_cell, p_cell, text_cell
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = "HeadRank against every other method: differences, intervals and tests."
FRAMES = {"tests": "significance-rivals"}
OPTIONS = {
    "metric": "metric",
    "backbones": "backbones",
    "panels": "compared_panels",
    "averages": "average_names",
    "alpha": "alpha",
    "first_stage": "first_stage",
}
NEEDS = ("training",)


def rivals_table(
    tests: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    method: str = "headrank",
    backbones: Sequence[str] | None = None,
    panels: Sequence[str] | None = None,
    averages: Sequence[str] = (),
    alpha: float = 0.05,
    first_stage: str | None = None,
) -> Table:
    """One row per backbone, panel and rival, by kind.

    tests: columns backbone, benchmark (or the name of a mean), method, baseline (the rival), value, baseline_value,
    difference, low, high, p_holm, as from ``significance.compare`` with Holm's correction within each panel. panels:
    the benchmarks or means to show (default: all). averages: which panels are named means. first_stage: what it is
    called. Raises InputError for missing columns, a value that is not finite, and a row given twice.
    """
    columns = ["value", "baseline_value", "difference", "low", "high", "p_holm"]
    keys = ["backbone", "benchmark", "method", "baseline"]
    require(tests, [*keys, *columns], "tests")
    rows = tests[tests["method"] == method]
    require_unique(rows, keys, "tests")
    require_finite(rows, columns, "tests")
    found = {(row["backbone"], row["benchmark"], row["baseline"]): row for row in rows.to_dict("records")}
    groups: list[tuple[tuple[Cell, ...], ...]] = []
    for backbone in in_order(rows["backbone"], backbones, "tests"):
        for panel in in_order(rows["benchmark"], panels, "tests"):
            rivals = [name for b, p, name in found if (b, p) == (backbone, panel)]
            group, kind = [], ""
            for rival in by_method(rivals):
                row = found[backbone, panel, rival]
                same, kind = kind_of(rival) == kind, kind_of(rival)
                group.append(
                    (
                        text_cell(backbone, backbone_name(backbone)),
                        text_cell(panel, _panel(panel, averages)),
                        text_cell(kind, "" if same else KINDS[kind]),
                        text_cell(rival, method_name(rival, first_stage)),
                        number_cell(row["baseline_value"], 3),
                        number_cell(row["value"], 3),
                        number_cell(row["difference"], 3, signed=True),
                        number_cell(row["low"], 3, signed=True),
                        number_cell(row["high"], 3, signed=True),
                        p_cell(row["p_holm"]),
                    )
                )
            if group:
                groups.append(tuple(group))
    shown = method_name(method)
    head = (
        Column("backbone", "Backbone", numeric=False),
        Column("panel", "Over", numeric=False),
        Column("kind", "Kind", numeric=False),
        Column("rival", "Rival", numeric=False),
        Column("theirs", metric),
        Column("ours", shown),
        Column("difference", "Difference"),
        Column("low", "From"),
        Column("high", "To"),
        Column("p_holm", "p (Holm)"),
    )
    caption = (
        f"{shown} against each other method of the same backbone: {metric}, difference with its "
        f"{100 * (1 - alpha):g} % interval (bootstrap over queries), and paired randomisation test, Holm's correction "
        f"over the rivals of a backbone and panel."
    )
    return Table(head, tuple(groups), caption, "tab:rivals")


def _panel(panel: str, averages: Sequence[str]) -> str:
    if panel == MEAN:
        return "mean of all"
    return average_name(panel) if panel in averages else benchmark_name(panel)
