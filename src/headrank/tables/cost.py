"""Cost and depth: how much of the backbone each method runs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from headrank.errors import InputError
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.table import Cell, Column, Table, bold_best, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, records, require_finite

_NUMBERS = ["layers_run", "layers_total", "heads", "forward_passes", "prompt_tokens", "share"]


def cost_table(
    costs: pd.DataFrame, *, backbones: Sequence[str] | None = None, methods: Sequence[str] | None = None
) -> Table:
    """One row per backbone and method; the smallest share of each backbone in bold.

    costs: columns backbone, method, layers_run, layers_total, heads (read), forward_passes (per query),
    prompt_tokens (mean), share (multiply-adds against one pass of full depth over HeadRank's prompt; it can exceed 1).
    """
    what = "costs"
    rows_of = records(costs, ["backbone", "method"], _NUMBERS, what)
    require_finite(costs, _NUMBERS, what)
    shown_methods = in_order(by_method(key[1] for key in rows_of), methods, what)
    groups = []
    for backbone in in_order((key[0] for key in rows_of), backbones, what):
        rows: list[list[Cell]] = []
        for method in (method for method in shown_methods if (backbone, method) in rows_of):
            run, total, heads, passes, tokens, share = (rows_of[backbone, method][name] for name in _NUMBERS)
            if run > total:
                raise InputError(f"{what}: {method} ({backbone}) runs {run:g} of {total:g} layers")
            rows.append(
                [
                    text_cell(backbone, backbone_name(backbone)),
                    text_cell(method, method_name(method)),
                    count_cell(int(run)),
                    count_cell(int(total)),
                    count_cell(int(heads)),
                    number_cell(passes, 0 if passes.is_integer() else 2),
                    number_cell(tokens, 0),
                    number_cell(share, 1, scale=100),
                ]
            )
        if rows:
            groups.append(tuple(map(tuple, bold_best(rows, 7, highest=False))))
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("layers_run", "Layers run"),
        Column("layers_total", "of"),
        Column("heads", "Heads"),
        Column("forward_passes", "Passes"),
        Column("prompt_tokens", "Tokens"),
        Column("share", "Multiply-adds (%)"),
    )
    caption = (
        "Cost per query: layers run, of the backbone's layers; heads read; forward passes; mean prompt "
        "tokens; multiply-adds against one pass of full depth over HeadRank's prompt. Bold: cheapest of each backbone."
    )
    return Table(columns, tuple(groups), caption, "tab:cost")
