"""Formatting success: how many answers are a permutation of the candidates."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from headrank.errors import InputError
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.table import MISSING, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, records, require, require_finite

_KEYS = ["backbone", "method"]
_COUNTS = ["queries", "permutations", "ties", "empty_documents"]


def format_table(
    counts: pd.DataFrame, *, backbones: Sequence[str] | None = None, methods: Sequence[str] | None = None
) -> Table:
    """One row per backbone and method: queries, rankings that are valid, ties, empty documents.

    counts: columns backbone, method, queries, permutations (queries whose ranking was checked to hold every
    candidate exactly once), ties (documents that share their score with another), empty_documents; rows of
    several benchmarks are added up.
    """
    what = "formatting counts"
    require(counts, [*_KEYS, *_COUNTS], what)
    require_finite(counts, _COUNTS, what)
    named = counts.assign(backbone=counts["backbone"].fillna(""))
    sums = records(named.groupby(_KEYS, sort=False)[_COUNTS].sum().reset_index(), _KEYS, _COUNTS, what)
    shown_methods = in_order(by_method(key[1] for key in sums), methods, what)
    groups = []
    for backbone in in_order((key[0] for key in sums), backbones, what):
        group = []
        for method in (method for method in shown_methods if (backbone, method) in sums):
            queries, valid, ties, empty = (int(sums[backbone, method][name]) for name in _COUNTS)
            if not 0 <= valid <= queries or queries == 0:
                place = f"{method} ({backbone})" if backbone else method
                raise InputError(f"{what}: {place} has {valid} permutations of {queries} queries")
            group.append(
                (
                    text_cell(backbone, backbone_name(backbone) or MISSING),
                    text_cell(method, method_name(method)),
                    count_cell(queries),
                    count_cell(valid),
                    number_cell(valid / queries, 1, scale=100),
                    count_cell(ties),
                    count_cell(empty),
                )
            )
        if group:
            groups.append(tuple(group))
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("queries", "Queries"),
        Column("permutations", "Valid"),
        Column("success", "Success (%)"),
        Column("ties", "Ties"),
        Column("empty_documents", "Empty"),
    )
    caption = (
        "Formatting success: rankings that hold every candidate exactly once, of all queries. Methods that "
        "decode nothing succeed by construction; they are counted all the same. Ties: documents that share "
        "their score with another. Empty: documents without text."
    )
    return Table(columns, tuple(groups), caption, "tab:format")
