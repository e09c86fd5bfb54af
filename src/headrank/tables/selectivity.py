"""Middle-zone selectivity: which middle-zone documents reach the top quartile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.errors import InputError
from headrank.tables.means import averages_legend
from headrank.tables.names import average_name, backbone_name, by_method, method_name
from headrank.tables.table import (
    MISSING,
    Cell,
    Column,
    Table,
    bold_best,
    count_cell,
    number_cell,
    p_cell,
    text_cell,
)
from headrank.tables.tidy import in_order, records, require, require_shares

CAPTION = "Shares of relevant and of irrelevant documents of the middle zone that reach the top quartile."
FRAMES = {"selectivity": "selectivity-main"}
OPTIONS = {"backbones": "backbones", "averages": "averages"}
NEEDS = ("training",)

RELEVANT, IRRELEVANT = "relevant", "irrelevant"
_COLUMNS = (
    Column("backbone", "Backbone", numeric=False),
    Column("method", "Method", numeric=False),
    Column("relevant", "Relevant (%)"),
    Column("relevant_n", "n"),
    Column("irrelevant", "Irrelevant (%)"),
    Column("irrelevant_n", "n"),
    Column("gap", "Gap"),
)
_MACRO_COLUMNS = (
    Column("macro_relevant", "Rel. macro"),
    Column("macro_irrelevant", "Irr. macro"),
    Column("macro_gap", "Gap macro"),
)
_TEST_COLUMN = Column("p", "p")
_HIGHEST_IS_BEST = {"relevant": True, "irrelevant": False, "gap": True}


def selectivity_table(
    selectivity: pd.DataFrame,
    *,
    backbones: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    averages: Mapping[str, Sequence[str]] | None = None,
    chance: float = 0.25,
) -> Table:
    """One row per backbone and method: promotion of relevant and irrelevant documents, their number, the gap.

    selectivity: columns backbone, method, group (``relevant`` or ``irrelevant``), promoted (share of the
    group's middle-zone documents in the final top quartile, 0 to 1, NaN when n is 0), n (documents); optional
    macro (the same share as a mean over queries) and p (p-value of the test that the pooled gap is larger than before
    training, NaN where it was not tested). averages: name -> benchmarks; the column ``gap_NAME`` is then the gap over
    their documents. chance: the share under a random order, for the caption.
    """
    shares = promotion_cells(selectivity)
    macro = "macro" in selectivity.columns
    averages = averages or {}
    require(selectivity, [f"gap_{name}" for name in averages], "selectivity")
    columns = _COLUMNS + tuple(Column(f"gap_{name}", f"Gap, {average_name(name)}") for name in averages)
    columns += _MACRO_COLUMNS if macro else ()
    extra = [
        name for name in ("n", "p", *(f"gap_{name}" for name in averages)) if name in selectivity.columns
    ]
    first = records(
        selectivity.drop_duplicates(["backbone", "method"]), ["backbone", "method"], extra, "selectivity"
    )
    tested = "p" in selectivity.columns
    if tested:
        columns += (_TEST_COLUMN,)
    shown_backbones = in_order((key[0] for key in shares), backbones, "selectivity")
    shown_methods = in_order(by_method(key[1] for key in shares), methods, "selectivity")
    groups = []
    for backbone in shown_backbones:
        rows: list[list[Cell]] = []
        for method in (method for method in shown_methods if (backbone, method) in shares):
            share = shares[backbone, method]
            row = [
                text_cell(backbone, backbone_name(backbone) or MISSING),
                text_cell(method, method_name(method)),
            ]
            for group in (RELEVANT, IRRELEVANT):
                row += [_percent(share[group]["promoted"]), count_cell(int(share[group]["n"]))]
            row.append(_gap(share, "promoted"))
            for name in averages:
                row.append(number_cell(first[backbone, method][f"gap_{name}"], 1, signed=True, scale=100))
            if macro:
                row += [_percent(share[group]["macro"]) for group in (RELEVANT, IRRELEVANT)]
                row.append(_gap(share, "macro"))
            if tested:
                row.append(p_cell(first[backbone, method]["p"]))
            rows.append(row)
        for number, column in enumerate(columns):
            kind = "gap" if column.key.startswith("gap_") else column.key.removeprefix("macro_")
            highest = _HIGHEST_IS_BEST.get(kind)
            if highest is not None:
                rows = bold_best(rows, number, highest=highest)
        if rows:
            groups.append(tuple(map(tuple, rows)))
    caption = (
        f"Middle-zone selectivity: share of relevant and of irrelevant middle-zone documents that reach the "
        f"top quartile, pooled over benchmarks (n documents), and their gap in points; a random order gives "
        f"{100 * chance:.0f} % each."
    )
    if averages:
        caption += averages_legend(averages, "gap pooled over")
    if macro:
        caption += " Macro: mean over queries instead of documents."
    if tested:
        caption += " p: the pooled gap is larger than untrained, paired randomisation test over queries."
    return Table(columns, tuple(groups), f"{caption} Bold: best of each backbone.", "tab:selectivity")


def promotion_cells(selectivity: pd.DataFrame) -> dict[tuple[str, str], dict[str, dict[str, float]]]:
    """(backbone, method) -> group -> promoted, n and, where given, macro; an absent group has NaN and n 0."""
    what = "selectivity"
    shares = [name for name in ("promoted", "macro") if name in selectivity.columns]
    rows = records(selectivity, ["backbone", "method", "group"], [*shares, "n"], what)
    require(selectivity, ["promoted"], what)
    require_shares(selectivity, shares, what)
    empty = {**dict.fromkeys(shares, math.nan), "n": 0.0}
    result: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for (backbone, method, group), values in rows.items():
        if group not in (RELEVANT, IRRELEVANT):
            raise InputError(f"{what}: unknown group {group!r}; use {RELEVANT} or {IRRELEVANT}")
        if math.isnan(values["promoted"]) and values["n"] != 0:
            raise InputError(
                f"{what}: {method} ({backbone}) promotes NaN of {values['n']:g} {group} documents"
            )
        both = result.setdefault((backbone, method), {RELEVANT: empty, IRRELEVANT: empty})
        both[group] = values
    return result


def promotion_gaps(selectivity: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(backbone, method) -> relevant minus irrelevant promotion, as a share; NaN when a group is absent."""
    return {
        key: share[RELEVANT]["promoted"] - share[IRRELEVANT]["promoted"]
        for key, share in promotion_cells(selectivity).items()
    }


def _percent(share: float) -> Cell:
    return number_cell(share, 1, scale=100)


def _gap(share: dict[str, dict[str, float]], measure: str) -> Cell:
    return number_cell(share[RELEVANT][measure] - share[IRRELEVANT][measure], 1, signed=True, scale=100)
