"""Exponents by which the time and memory of a pass grow with each of its sizes: measured, and by arithmetic."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from headrank.cost.exponents import exponents, medians
from headrank.cost.measured import GROWTH_COLUMNS, SIZE_TITLES
from headrank.tables.names import backbone_name
from headrank.tables.table import Cell, Column, Table, number_cell, text_cell
from headrank.tables.tidy import require, require_finite

CAPTION = "Exponents by which the time and memory of a pass grow with each of its sizes."
FRAMES = {"rounds": "growth/{shape}"}
NEEDS = (
    "bench",
    "growth",
)


def growth_table(rounds: pd.DataFrame) -> Table:
    """One row per backbone and size that was varied.

    rounds: columns ``headrank.cost.measured.GROWTH_COLUMNS``, as ``headrank bench --growth`` writes them.
    """
    what = "growth"
    require(rounds, GROWTH_COLUMNS, what)
    require_finite(rounds, ["seconds", "products", "attention"], what)
    found = exponents(medians(rounds))
    groups = tuple(
        tuple(tuple(_row(row)) for row in part.to_dict("records"))
        for _, part in found.groupby("backbone", sort=False)
    )
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("varied", "What grows", numeric=False),
        Column("range", "From – to", numeric=False),
        Column("seconds", "Time, exponent"),
        Column("predicted_seconds", "by arithmetic"),
        Column("time_error", "Off by at most (%)"),
        Column("memory", "Memory, exponent"),
        Column("predicted_memory", "by arithmetic"),
        Column("memory_error", "Off by at most (%)"),
    )
    base = rounds[rounds["varied"] == "base"].iloc[0]
    caption = (
        "Exponents of power laws fitted to measured time and peak memory (beyond the weights) of one truncated pass,"
        f" and to what the arithmetic of headrank cost predicts; about {base['n']} passages of {base['words']} words"
        f" and {base['layers']} layers, on {rounds['device'].iloc[0]} with {rounds['threads'].iloc[0]} threads, medians"
        f" of {rounds['round'].max()} rounds. The arithmetic's two rates are fitted to the backbone's own times, across"
        " models to the first one's; the error of memory is a share of weights and pass together."
    )
    return Table(columns, groups, caption, "tab:growth")


def _row(row: dict[Hashable, Any]) -> list[Cell]:
    low, high = row["smallest"], row["largest"]
    span = f"{low / 1e6:,.0f} – {high / 1e6:,.0f} M" if row["varied"] == "model" else f"{low:g} – {high:g}"
    name = row["backbone"]
    return [
        text_cell(name, backbone_name(name)) if name else text_cell("all", "all"),
        text_cell(row["varied"], SIZE_TITLES[row["varied"]]),
        text_cell(span),
        number_cell(row["seconds"], 2),
        number_cell(row["predicted_seconds"], 2),
        number_cell(row["time_error"], 0, scale=100),
        number_cell(row["memory"], 2),
        number_cell(row["predicted_memory"], 2),
        number_cell(row["memory_error"], 0, scale=100),
    ]
