"""Formatting success: how many rankings are permutations, and how many written answers can be read as asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from headrank.errors import InputError
from headrank.methods.table import WRITING
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.table import MISSING, Cell, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, records, require, require_finite

CAPTION = "Formatting success: rankings that hold every candidate exactly once."
FRAMES = {"counts": "format"}

_KEYS = ["backbone", "method"]
_COUNTS = ["queries", "permutations", "ties", "empty_documents"]
RULES = ("complete", "well_formed")
_ANSWERS = ["calls", *RULES]
_WHAT = "formatting counts"


def format_table(
    counts: pd.DataFrame, *, backbones: Sequence[str] | None = None, methods: Sequence[str] | None = None
) -> Table:
    """One row per backbone and method: queries, rankings that are valid, answers by two rules, ties, empty documents.

    counts: columns backbone, method, queries, permutations (queries whose ranking was checked to hold every
    candidate exactly once), ties (documents that share their score with another), empty_documents; for methods
    that write answers also calls (answers), complete (those that name every id once) and well_formed (those that
    match the regular expression of the format asked for; docs/methods.md), NaN for the others. The
    last three may be absent together, when nothing is generated. Rows of several benchmarks are added up.
    """
    named = _with_answers(counts, [*_KEYS, *_COUNTS])
    require_finite(counts, _COUNTS, _WHAT)
    # NaN in each row stays NaN in the sum.
    sums = records(
        named.groupby(_KEYS, sort=False)[_COUNTS + _ANSWERS].sum(min_count=1).reset_index(),
        _KEYS,
        _COUNTS + _ANSWERS,
        _WHAT,
    )
    shown_methods = in_order(by_method(key[1] for key in sums), methods, _WHAT)
    written = named["calls"].notna().any()
    groups = []
    for backbone in in_order((key[0] for key in sums), backbones, _WHAT):
        group = []
        for method in (method for method in shown_methods if (backbone, method) in sums):
            queries, valid, ties, empty = (int(sums[backbone, method][name]) for name in _COUNTS)
            if not 0 <= valid <= queries or queries == 0:
                place = f"{method} ({backbone})" if backbone else method
                raise InputError(f"{_WHAT}: {place} has {valid} permutations of {queries} queries")
            row = [
                text_cell(backbone, backbone_name(backbone) or MISSING),
                text_cell(method, method_name(method)),
                count_cell(queries),
                count_cell(valid),
                number_cell(valid / queries, 1, scale=100),
            ]
            if written:
                row += _answers(method, sums[backbone, method])
            group.append((*row, count_cell(ties), count_cell(empty)))
        if group:
            groups.append(tuple(group))
    columns = [
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("queries", "Queries"),
        Column("permutations", "Valid"),
        Column("success", "Success (%)"),
    ]
    if written:
        columns += [
            Column("calls", "Answers"),
            Column("complete", "Complete (%)"),
            Column("well_formed", "Well-formed (%)"),
        ]
    columns += [Column("ties", "Ties"), Column("empty_documents", "Empty")]
    caption = (
        "Formatting success: rankings that hold every candidate exactly once, of all queries. Methods that "
        "decode nothing succeed by construction; they are counted all the same."
    )
    if written:
        caption += (
            " Rankings of those that write answers are repaired first; the next columns count answers before repair. "
            "Complete: answers of the model that name every identifier of their prompt exactly once; well-formed: "
            "answers that match the regular expression of the format asked for. In brackets: no answer is "
            "written, so 100 % by construction."
        )
    caption += " Ties: documents that share their score with another. Empty: documents without text."
    return Table(tuple(columns), tuple(groups), caption, "tab:format")


def answer_shares(counts: pd.DataFrame) -> dict[tuple[str, ...], dict[str, float]]:
    """(backbone, method) -> calls, and the shares complete and well_formed, over all benchmarks.

    Methods without answers are left out. counts: columns backbone, method, calls, complete, well_formed (see
    ``format_table``); raises InputError for missing columns and impossible counts.
    """
    require(counts, [*_KEYS, *_ANSWERS], _WHAT)
    named = _with_answers(counts, [*_KEYS, *_ANSWERS]).dropna(subset=["calls"])
    if named.empty:
        raise InputError(f"{_WHAT}: no method writes answers (calls is NaN in every row)")
    sums = named.groupby(_KEYS, sort=False)[_ANSWERS].sum().reset_index()
    return {
        key: {"calls": found["calls"], **{rule: found[rule] / found["calls"] for rule in RULES}}
        for key, found in records(sums, _KEYS, _ANSWERS, _WHAT).items()
    }


def _with_answers(counts: pd.DataFrame, needed: Sequence[str]) -> pd.DataFrame:
    """``counts`` with all columns of answers, and "" for a missing backbone; checked row by row."""
    require(counts, needed, _WHAT)
    given = [name for name in _ANSWERS if name in counts.columns]
    if given and given != _ANSWERS:
        require(counts, _ANSWERS, _WHAT)
    named = counts.assign(
        backbone=counts["backbone"].fillna(""),
        **{name: counts[name].astype(float) if given else math.nan for name in _ANSWERS},
    )
    numbers = named[_ANSWERS]
    known = numbers.notna()
    fits = (numbers["calls"] > 0) & (numbers[list(RULES)].ge(0).all(axis=1))
    fits &= numbers["complete"].le(numbers["calls"]) & numbers["well_formed"].le(numbers["calls"])
    bad = named[~fits & known.any(axis=1)]
    if not bad.empty:
        first = bad.iloc[0]
        place = f"{first['method']} ({first['backbone']})" if first["backbone"] else first["method"]
        found = ", ".join(f"{name} {first[name]:g}" for name in _ANSWERS)
        raise InputError(
            f"{_WHAT}: {place} has {found}; complete and well_formed are counted among the calls"
        )
    mixed = known["calls"].groupby([named["backbone"], named["method"]]).nunique()
    if (mixed > 1).any():
        backbone, method = mixed[mixed > 1].index[0]
        raise InputError(
            f"{_WHAT}: {method} ({backbone}) has calls on some benchmarks only; count all of them"
        )
    return named


def _answers(method: str, sums: dict[str, float]) -> list[Cell]:
    calls = sums["calls"]
    if math.isnan(calls):
        # "By construction" is true only of methods that write no answers, not of those whose answers were not counted.
        text = MISSING if method in WRITING else "(100)"
        return [number_cell(None, 0), Cell(None, text), Cell(None, text)]
    return [count_cell(int(calls)), *(number_cell(sums[rule] / calls, 1, scale=100) for rule in RULES)]
