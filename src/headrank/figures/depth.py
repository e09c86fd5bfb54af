"""nDCG@10 against the share of the backbone's depth that is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from headrank.errors import InputError
from headrank.figures.style import (
    BLACK,
    DOTTED,
    SERIES,
    SINGLE,
    Look,
    language,
    legend_above,
    spread,
)
from headrank.tables.names import backbone_name
from headrank.tables.tidy import in_order, records, require, require_finite, require_shares, require_unique

CAPTION = "nDCG against the share of layers kept."
FRAMES = {"curves": "depth/{backbone}", "marks": "depth/{backbone}-marks"}
OPTIONS = {"backbones": "backbones", "metric": "metric"}
NEEDS = ("training",)

DEEPEST, TRAINED_POINT = "deepest", "trained"


def depth_figure(
    curves: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    *,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
) -> Figure:
    """One curve per backbone: untrained selection among the heads of the first layers only.

    curves: columns backbone, share (of the layers, 0 to 1), value, low, high (confidence limits, may be NaN).
    marks: columns backbone, kind, share, value; kind ``deepest`` rings the depth of the deepest selected head
    (value NaN: on the curve), kind ``trained`` is the trained method at its depth, a
    star on a dotted line from its untrained curve.
    """
    what = "depth curves"
    require(curves, ["backbone", "share", "value", "low", "high"], what)
    require_unique(curves, ["backbone", "share"], what)
    require_finite(curves, ["share", "value"], what)
    require_shares(curves, ["share"], what)
    shown = in_order(curves["backbone"], backbones, what)
    if len(shown) > len(SERIES):
        raise InputError(
            f"{what}: {len(shown)} backbones, at most {len(SERIES)} can be told apart; choose some"
        )
    points = {} if marks is None else records(marks, ["backbone", "kind"], ["share", "value"], "depth marks")
    strange = sorted({kind for _, kind in points} - {DEEPEST, TRAINED_POINT})
    if strange:
        raise InputError(f"depth marks: unknown kind {strange[0]!r}; use {DEEPEST} or {TRAINED_POINT}")

    with language():
        figure = Figure(figsize=(SINGLE, 2.5), layout="constrained")
        axes = figure.subplots()
        ends = []
        for backbone, look in zip(shown, SERIES, strict=False):
            line = curves[curves["backbone"] == backbone].sort_values("share")
            share, value, low, high = (
                line[column].to_numpy(dtype=float) for column in ("share", "value", "low", "high")
            )
            axes.fill_between(100 * share, low, high, color=look.color, alpha=0.13, linewidth=0)
            axes.plot(
                100 * share,
                value,
                color=look.color,
                linestyle=look.line,
                marker=look.marker,
                markersize=3,
                markevery=max(1, len(share) // 10),
            )
            ends.append(float(value[-1]))
            if deepest := points.get((backbone, DEEPEST)):
                height = deepest["value"]
                height = float(np.interp(deepest["share"], share, value)) if math.isnan(height) else height
                axes.plot(100 * deepest["share"], height, **_ring(look.color))
            if trained := points.get((backbone, TRAINED_POINT)):
                on_curve = float(np.interp(trained["share"], share, value))
                axes.plot([100 * trained["share"]] * 2, [on_curve, trained["value"]], **_stem(look))
                axes.plot(100 * trained["share"], trained["value"], **_star(look.color))
        axes.set_xlabel("layers kept (% of the backbone)")
        axes.set_ylabel(metric)
        axes.set_xlim(0, 100)
        axes.set_xticks(range(0, 101, 20))
        axes.margins(y=0.08)
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(0.0, bottom), min(1.0, top))
        bottom, top = axes.get_ylim()
        for backbone, look, end, place in zip(
            shown, SERIES, ends, spread(ends, 0.075 * (top - bottom)), strict=False
        ):
            axes.annotate(
                backbone_name(backbone),
                xy=(100, end),
                xytext=(102.5, place),
                color=look.color,
                va="center",
                annotation_clip=False,
            )
        kinds = {kind for _, kind in points}
        handles: list[object] = []
        if DEEPEST in kinds:
            handles.append(Line2D([], [], label="deepest selected head", **_ring(BLACK)))
        if TRAINED_POINT in kinds:
            handles.append(Line2D([], [], label="HeadRank, trained", **_star(BLACK)))
        if handles:
            legend_above(figure, handles, 2)
    return figure


def _stem(look: Look) -> dict[str, Any]:
    return {"color": look.color, "linewidth": 0.8, "linestyle": DOTTED, "zorder": 2}


def _ring(color: str) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 8,
        "markerfacecolor": "none",
        "markeredgecolor": color,
        "markeredgewidth": 1.2,
    }


def _star(color: str) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "*",
        "markersize": 9,
        "markerfacecolor": color,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
        "zorder": 5,
    }
