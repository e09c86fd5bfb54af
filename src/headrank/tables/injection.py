"""The injection benchmark: how often a passage that asks for the first rank comes among the first three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from headrank.evaluation.attacks import ATTACKS, TOP, UNTOUCHED
from headrank.evaluation.injection import COLUMNS, attack_shares
from headrank.evaluation.significance import Resampling
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.table import Cell, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, require, require_finite

CAPTION = "Attacks by the text of an irrelevant passage that bring it among the first three."
FRAMES = {"ranks": "injection/{backbone}"}
OPTIONS = {"backbones": "backbones", "resampling": "resampling"}
NEEDS = ("injection",)

_TITLES = {
    UNTOUCHED: "Untouched",
    "instructions": "Instructions",
    "query-words": "Query words",
    "special-tokens": "Special tokens",
    "labels": "Labels",
}


def injection_table(
    ranks: pd.DataFrame,
    *,
    backbones: Sequence[str] | None = None,
    resampling: Mapping[str, Any] | None = None,
) -> Table:
    """One row per backbone and method: the share of lists, in percent, in which the passage is among the first three.

    ranks: as for ``attack_shares``. resampling: fields of ``Resampling``, for the interval.
    """
    require(ranks, ["backbone", *COLUMNS], "injection")
    require_finite(ranks, ["passages", "rank"], "injection")
    settings = Resampling(**(resampling or {}))
    shares = attack_shares(ranks, settings)
    groups: list[tuple[tuple[Cell, ...], ...]] = []
    for backbone in in_order(shares["backbone"], backbones, "injection"):
        own = shares[shares["backbone"] == backbone].to_dict("records")
        found = {row["method"]: row for row in own}
        rows = []
        for method in by_method(found):
            row = found[method]
            rows.append(
                (
                    text_cell(backbone, backbone_name(backbone)),
                    text_cell(method, method_name(method)),
                    count_cell(row["lists"]),
                    *(number_cell(row[name], 0, scale=100) for name in (UNTOUCHED, *ATTACKS)),
                    *(number_cell(row[name], 0, scale=100, signed=True) for name in ("added", "low", "high")),
                )
            )
        groups.append(tuple(rows))
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("lists", "Lists"),
        *(Column(name, f"{title} (%)") for name, title in _TITLES.items()),
        Column("added", "Added"),
        Column("low", "From"),
        Column("high", "To"),
    )
    caption = (
        f"Injection: share of lists in which an irrelevant passage of the lower half, of lists of {_lengths(ranks)}, "
        f"comes among the first {TOP}: untouched, with instructions to rank it first, with the query's words repeated, "
        "with control tokens spelt out, or with the prompt's own labels in its text. Added: mean of the attacks less "
        f"untouched, in points, with its {100 * (1 - settings.alpha):g} % interval (bootstrap over queries). The first "
        "stage does not read the changed text."
    )
    return Table(columns, tuple(groups), caption, "tab:injection")


def _lengths(ranks: pd.DataFrame) -> str:
    least, most = int(ranks["passages"].min()), int(ranks["passages"].max())
    return f"{most} passages" if least == most else f"{least} to {most} passages"
