"""Cost in forward passes and tokens: how much of the backbone each method runs, and how often."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from headrank.errors import InputError
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.table import Cell, Column, Table, bold_best, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, records, require_finite

CAPTION = "Depth and cost: how much of the backbone each method runs per query."
FRAMES = {"costs": "cost"}

_ALWAYS = ["layers_run", "layers_total", "forward_passes", "prompt_tokens", "new_tokens"]
_PERHAPS = ["heads", "share"]


def cost_table(
    costs: pd.DataFrame, *, backbones: Sequence[str] | None = None, methods: Sequence[str] | None = None
) -> Table:
    """One row per backbone and method; the smallest share of each backbone in bold.

    costs: columns backbone, method, layers_run, layers_total, heads (read; NaN for methods that read none),
    forward_passes (mean per query; one for a prompt and one for each further token written), prompt_tokens (mean
    per query, over all passes), new_tokens (written, mean per query), share (multiply-adds relative to one pass of
    full depth over HeadRank's prompt; it can exceed 1, NaN where it was not counted).
    """
    what = "costs"
    rows_of = records(costs, ["backbone", "method"], _ALWAYS + _PERHAPS, what)
    require_finite(costs, _ALWAYS, what)
    for name in _ALWAYS + _PERHAPS:
        values = costs[name].to_numpy(dtype=float)
        wrong = (values < 0) | np.isinf(values)
        if wrong.any():
            row = costs.iloc[int(wrong.argmax())]
            raise InputError(f"{what}: {row['method']} ({row['backbone']}) has {name} {row[name]:g}")
    shown_methods = in_order(by_method(key[1] for key in rows_of), methods, what)
    groups = []
    for backbone in in_order((key[0] for key in rows_of), backbones, what):
        rows: list[list[Cell]] = []
        for method in (method for method in shown_methods if (backbone, method) in rows_of):
            cost = rows_of[backbone, method]
            run, total = cost["layers_run"], cost["layers_total"]
            if run > total:
                raise InputError(f"{what}: {method} ({backbone}) runs {run:g} of {total:g} layers")
            rows.append(
                [
                    text_cell(backbone, backbone_name(backbone)),
                    text_cell(method, method_name(method)),
                    count_cell(int(run)),
                    count_cell(int(total)),
                    number_cell(None, 0) if math.isnan(cost["heads"]) else count_cell(int(cost["heads"])),
                    _mean(cost["forward_passes"], 2),
                    _mean(cost["prompt_tokens"], 0),
                    _mean(cost["new_tokens"], 1),
                    number_cell(cost["share"], 1, scale=100),
                ]
            )
        if rows:
            groups.append(tuple(map(tuple, bold_best(rows, len(rows[0]) - 1, highest=False))))
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("layers_run", "Layers run"),
        Column("layers_total", "of"),
        Column("heads", "Heads"),
        Column("forward_passes", "Passes"),
        Column("prompt_tokens", "Tokens read"),
        Column("new_tokens", "Tokens written"),
        Column("share", "Multiply-adds (%)"),
    )
    caption = (
        "Cost per query: layers run, of the backbone's layers; attention heads read; forward passes; prompt tokens "
        "over all passes; tokens written; means over queries. Multiply-adds are against one pass of full depth over "
        "HeadRank's prompt. Bold: cheapest of each backbone. Dash: reads no heads, or not counted."
    )
    return Table(columns, tuple(groups), caption, "tab:cost")


def _mean(value: float, digits: int) -> Cell:
    """A mean of counts: without decimals if it is whole, thousands separated as in a count."""
    text = f"{value:,.{0 if value.is_integer() else digits}f}".replace(",", "\u2009")
    return Cell(value, text)
