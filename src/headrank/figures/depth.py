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
from headrank.tables.controls import control_means
from headrank.tables.marks import MEAN
from headrank.tables.names import backbone_name, benchmark_name
from headrank.tables.tidy import in_order, records, require, require_finite, require_shares

CAPTION = "nDCG against the share of layers kept, as a mean over the benchmarks that all backbones rank."
FRAMES = {"curves": "depth/{backbone}", "marks": "depth/{backbone}-marks"}
OPTIONS = {"backbones": "backbones", "metric": "metric", "benchmarks": "common"}
NEEDS = ("training",)

DEEPEST, TRAINED_POINT = "deepest", "trained"


def depth_figure(
    curves: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    *,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
) -> Figure:
    """One curve per backbone: untrained selection among the heads of the first layers only.

    curves: columns backbone, benchmark, share (of the layers, 0 to 1), value, low, high (confidence limits, may be
    NaN). marks: columns backbone, benchmark, kind, share, value; kind ``deepest`` rings the depth of the deepest
    selected head (benchmark "", value NaN: on the curve), kind ``trained`` is the trained method at its depth, a
    star on a dotted line from its untrained curve. Drawn are unweighted means over ``benchmarks`` (default: all);
    raises InputError where a backbone lacks one of them. The benchmark ``mean`` stands for a mean over several.
    """
    what = "depth curves"
    require(curves, ["backbone", "benchmark", "share", "value", "low", "high"], what)
    require_finite(curves, ["share"], what)
    require_shares(curves, ["share"], what)
    common = in_order(curves["benchmark"], benchmarks, what)
    curves = _means(curves, common, what)
    shown = in_order(curves["backbone"], backbones, what)
    if len(shown) > len(SERIES):
        raise InputError(
            f"{what}: {len(shown)} backbones, at most {len(SERIES)} can be told apart; choose some"
        )
    points = {} if marks is None else _points(marks, common)

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
        axes.set_ylabel(_over(metric, common))
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
                # Beside the marks of the last layer.
                xytext=(108, place),
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


def _means(curves: pd.DataFrame, common: Sequence[str], what: str) -> pd.DataFrame:
    """The curves over all of these benchmarks: columns backbone, share, value, low, high.

    Benchmarks are independent of each other: the distances of their limits from their values add up as squares.
    """
    means = control_means(curves, "share", what, common)
    rows = curves[curves["benchmark"].isin(common)]
    keys = [rows["backbone"], rows["share"]]
    limits = {
        name: ((rows[name] - rows["value"]) ** 2).groupby(keys).sum(min_count=len(common)) ** 0.5
        / len(common)
        for name in ("low", "high")
    }
    value = means.set_index(["backbone", "share"])["value"]
    return pd.DataFrame(
        {"value": value, "low": value - limits["low"], "high": value + limits["high"]}
    ).reset_index()


def _points(marks: pd.DataFrame, common: Sequence[str]) -> dict[tuple[str, ...], dict[str, float]]:
    """(backbone, kind) -> share and value of each mark, over all of these benchmarks."""
    what = "depth marks"
    require(marks, ["backbone", "benchmark", "kind", "share", "value"], what)
    strange = sorted(set(marks["kind"]) - {DEEPEST, TRAINED_POINT})
    if strange:
        raise InputError(f"{what}: unknown kind {strange[0]!r}; use {DEEPEST} or {TRAINED_POINT}")
    keys = ["backbone", "kind"]
    points: dict[tuple[str, ...], dict[str, float]] = {}
    trained = marks["kind"] == TRAINED_POINT
    if not trained.all():
        points |= records(marks[~trained], keys, ["share", "value"], what)
    if trained.any():
        means = control_means(marks[trained], "kind", what, common)
        shares = marks[trained].drop_duplicates("backbone")[["backbone", "share"]]
        points |= records(means.merge(shares, on="backbone"), keys, ["share", "value"], what)
    return points


def _over(metric: str, common: Sequence[str]) -> str:
    if len(common) > 1:
        return f"{metric}, mean of {len(common)} benchmarks"
    return f"mean {metric}" if common[0] == MEAN else f"{metric}, {benchmark_name(common[0])}"


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
        "clip_on": False,
    }


def _star(color: str) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "*",
        "markersize": 9,
        "markerfacecolor": color,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
        "clip_on": False,
        "zorder": 5,
    }
