"""The paper's claims, each with what this study found and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from headrank.errors import UsageError
from headrank.evaluation.published import BY_NAME, PAPER_MODELS, Unit
from headrank.tables.marks import MEAN
from headrank.tables.names import average_name, backbone_name, method_name
from headrank.tables.table import MISSING, Cell, Column, Table, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, require, require_unique

CAPTION = "The paper's claims, each with what this study found and a verdict."
FRAMES = {"claims": "claims"}
OPTIONS = {"backbones": "backbones", "alpha": "alpha"}
NEEDS = ("training",)

_WHAT = "claims"
_COLUMNS = (
    Column("backbone", "Backbone", numeric=False),
    Column("claim", "Claim", numeric=False, wrap=20),
    Column("panel", "Over", numeric=False),
    Column("published", "Published", numeric=False, wrap=12),
    Column("source", "Source", numeric=False, wrap=9),
    Column("measured", "Measured"),
    Column("low", "Low"),
    Column("high", "High"),
    Column("verdict", "Verdict", numeric=False, wrap=10),
    Column("evidence", "Evidence", numeric=False, wrap=30),
)
_EVIDENCE = {
    "highest-mean": "HeadRank {ours:.3f}, {rival} {theirs:.3f}",
    "most-benchmarks": "{ours:.0f} of {theirs:.0f} benchmarks",
    "selectivity-gap": "promoted: {ours:.1%} of relevant, {theirs:.1%} of irrelevant",
    "gap-widened": "gap {our_points:.1f}, untrained {their_points:.1f} points",
    "depth": "{ours:.0f} of {theirs:.0f} layers",
    "operations": "HeadRank {ours:.1%}, ICR {theirs:.1%} of a full pass",
    "formatting": "HeadRank {ours:.1%}, RankGPT {theirs:.1%}",
    "training-queries": "",
}
_NOT_HERE = "The paper's Qwen3 (not run)"


def claims_table(
    claims: pd.DataFrame, *, backbones: Sequence[str] | None = None, alpha: float = 0.05
) -> Table:
    """One row per claim, backbone and panel of benchmarks; those of the paper's models that were not run come first.

    claims: columns of ``headrank.evaluation.verdicts.COLUMNS``. backbones: which to show and in which order (default:
    all). alpha: 1 minus the level of the intervals, for the caption. Raises InputError for missing columns, repeated
    rows and claims that are not known.
    """
    keys = ["backbone", "claim", "panel"]
    require(
        claims,
        [*keys, "model", "published", "source", "measured", "low", "high", "verdict", "standing", "reason"],
        _WHAT,
    )
    require_unique(claims, keys, _WHAT)
    unknown = set(claims["claim"]) - set(BY_NAME)
    if unknown:
        raise UsageError(f"{_WHAT}: no claim is named {', '.join(sorted(unknown))}")
    shown = in_order((name for name in claims["backbone"] if name), backbones, _WHAT)
    groups = []
    for backbone in ["", *shown]:
        rows = claims[claims["backbone"] == backbone].to_dict("records")
        if rows:
            groups.append(tuple(_row(row) for row in rows))
    percent = f"{100 * (1 - alpha):g} %"
    caption = (
        "The paper's claims (arXiv 2604.17237) and what this study found. Reproduced, not reproduced: said of the "
        "paper's own models under its conditions alone, as published figures are. Holds, does not hold: said of this "
        "study, on other models or under other conditions; it is no reproduction. Not run: the study lacks what it "
        f"takes.{_standings(claims, shown)}"
        " Measured: C1 HeadRank's mean nDCG minus that of the best decoding-free or zero-shot generative method; "
        "C2 benchmarks on which none of them reaches HeadRank; C3 share of relevant minus share of irrelevant "
        "middle-zone documents promoted, and what training adds to it; C4 layers run and multiply-adds in per cent "
        "of ICR's (Selective-ICR's over all layers are the same), counted and not timed; C5 HeadRank's rankings "
        "minus RankGPT's answers that name every passage once; C6 queries. "
        f"Low, high: {percent} interval, bootstrap over queries within each benchmark."
    )
    return Table(_COLUMNS, tuple(groups), caption, "tab:claims")


def _row(row: Mapping[Any, Any]) -> tuple[Cell, ...]:
    claim = BY_NAME[row["claim"]]
    found = "" if math.isnan(row["measured"]) else _EVIDENCE[claim.name].format(**_figures(row))
    evidence = "; ".join(
        text for text in (found.replace("%", " %").replace(" -", " −"), row["reason"]) if text
    )
    return (
        text_cell(row["backbone"], _heading(row)),
        text_cell(claim.name, f"{claim.code} {claim.statement}"),
        text_cell(row["panel"], _panel(row)),
        text_cell(row["published"], row["published"] or MISSING),
        text_cell(row["source"], row["source"] or MISSING),
        *(_number(row[key], claim.unit) for key in ("measured", "low", "high")),
        text_cell(row["verdict"]),
        text_cell(evidence, evidence or MISSING),
    )


def _figures(row: Mapping[Any, Any]) -> dict[str, object]:
    ours, theirs = row["ours"], row["theirs"]
    points = {"our_points": 100 * ours, "their_points": 100 * theirs}
    return {"ours": ours, "theirs": theirs, **points, "rival": method_name(row["rival"])}


def _heading(row: Mapping[Any, Any]) -> str:
    """The backbone's name and, in brackets, why its verdicts say nothing about the paper."""
    if not row["backbone"]:
        return _NOT_HERE
    name = backbone_name(row["backbone"])
    if row["model"] not in PAPER_MODELS:
        return f"{name} (not the paper's model)"
    return f"{name} (not the paper's conditions)" if row["standing"] else name


def _panel(row: Mapping[Any, Any]) -> str:
    if not row["panel"]:
        return MISSING
    members = row["benchmarks"].count(",") + 1
    return f"all {members}" if row["panel"] == MEAN else average_name(row["panel"])


def _number(value: float, unit: Unit) -> Cell:
    if unit == "count":
        return number_cell(None, 0) if math.isnan(value) else count_cell(int(value))
    if unit == "ndcg":
        return number_cell(value, 3, signed=True)
    return number_cell(value, 1, signed=unit == "points", scale=100)


def _standings(claims: pd.DataFrame, shown: Sequence[str]) -> str:
    """Sentences that say how backbones differ from the paper's study, one for each kind of difference."""
    by_fault: dict[str, list[str]] = {}
    for backbone in shown:
        for fault in claims.loc[claims["backbone"] == backbone, "standing"].unique():
            if fault:
                by_fault.setdefault(fault, []).append(backbone_name(backbone))
    return "".join(f" {', '.join(names)}: {fault}." for fault, names in by_fault.items())
