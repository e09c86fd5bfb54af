"""Score against prompt position, before and after training: does the middle of the list keep its contrast?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from headrank.errors import InputError, UsageError
from headrank.evaluation.middle_zone import zone_bounds
from headrank.figures.style import (
    DASHED,
    DOTTED,
    GREY,
    IRRELEVANT,
    PALE,
    RELEVANT,
    language,
    legend_above,
    panels,
)
from headrank.tables.names import TRAINED, UNTRAINED, backbone_name
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = (
    "List-normalised score against position in the prompt, before and after training. Each point is a mean over "
    "documents: of one position up to the fifth, of five neighbouring positions behind it. Bands: 95 % intervals; a "
    "logarithmic axis cuts off what is below the curves, and all that is below 0.005."
)
FRAMES = {"scores": "homogenisation"}
OPTIONS = {"backbones": "backbones"}
NEEDS = ("training",)

Normalisation = Literal["share", "minmax", "zscore"]

# Axis label; the value of a list whose scores are all alike, and its name (min-max has no such value).
_NORMALISED: dict[str, tuple[str, float | None, str]] = {
    "share": ("mean score (uniform = 1)", 1.0, "uniform"),
    "minmax": ("mean score (0–1 per list)", None, ""),
    "zscore": ("mean score (z per list)", 0.0, "mean of the list"),
}
# A mean share, in multiples of the uniform one, beside which the middle of a list is lost on a linear axis.
_DWARFING = 8
# In lists of more positions than these, the positions behind the first ones are drawn in groups of this size: one
# position has too few documents for a mean of scores that differ by orders of magnitude.
_UNGROUPED, _ALONE, _TOGETHER = 10, 5, 5
# A share, in multiples of the uniform one, below which differences say nothing.
_LEAST = 0.005
_Z = 1.96  # standard errors of the frame's intervals
_GROUPS = {"relevant": (RELEVANT, "o"), "irrelevant": (IRRELEVANT, "s")}


def homogenisation_figure(
    scores: pd.DataFrame,
    *,
    before: str = UNTRAINED,
    after: str = TRAINED,
    zone: tuple[int, int] | None = None,
    normalise: Normalisation = "share",
    log: bool | None = None,
    backbones: Sequence[str] | None = None,
) -> Figure:
    """One panel per backbone; relevant and irrelevant documents, ``before`` dashed, ``after`` solid.

    scores: columns backbone, method, position (in the prompt, from 0), group (``relevant``, ``irrelevant``),
    mean (of the score normalised within its list), low and high (95 % limits, may be NaN), n (documents). In long
    lists a point behind the fifth position stands for the documents of five positions. normalise: how
    the scores were normalised, ``share`` (times the list's length over its sum: 1 is uniform), ``minmax`` (0 to
    1) or ``zscore``; it names the axis and the line that a list without contrast would follow. zone:
    the first position to shade and the first one after the zone, by default the middle zone (R12 of docs/methods.md)
    of the longest list; the axis counts from 1. log: logarithmic score axis; by default where some position has more
    than eight times a list's mean share, so that the middle can still be read. A group that is absent is left out.
    """
    what = "homogenisation scores"
    keys = ["backbone", "method", "group", "position"]
    require(scores, [*keys, "mean", "low", "high", "n"], what)
    rows = scores[scores["method"].isin([before, after]) & scores["group"].isin(list(_GROUPS))]
    if rows.empty:
        raise InputError(f"{what}: no relevant or irrelevant documents of {before} or {after}")
    require_unique(rows, keys, what)
    require_finite(rows, ["position", "mean", "n"], what)
    if normalise not in _NORMALISED:
        raise UsageError(f"{what}: normalisation {normalise!r} is not known; use {', '.join(_NORMALISED)}")
    title, level, name = _NORMALISED[normalise]
    shown = in_order(rows["backbone"], backbones, what)
    if log is None:
        log = normalise == "share" and rows["mean"].max() > _DWARFING and rows["mean"].min() > 0
    lines = {
        (str(backbone), str(group), str(method)): _points(line, int(rows["position"].max()) + 1)
        for (backbone, group, method), line in rows.groupby(["backbone", "group", "method"], sort=False)
    }
    means = np.concatenate([line["mean"].to_numpy() for (name, *_), line in lines.items() if name in shown])
    # Intervals may reach below zero, which has no place on a logarithmic axis: it spans the curves.
    bottom = max(means.min() / 1.5, min(_LEAST, means.max() / 10)) if log else -np.inf

    with language():
        figure, grid = panels(len(shown), 2.3)
        for number, (backbone, (axes,)) in enumerate(zip(shown, grid, strict=True)):
            here = rows[rows["backbone"] == backbone]
            last = int(here["position"].max()) + 1
            start, stop = zone or zone_bounds(last)
            axes.axvspan(start + 0.5, stop + 0.5, color=PALE, linewidth=0, zorder=0)
            if level is not None:
                axes.axhline(level, color=GREY, linewidth=0.7, linestyle=DOTTED, zorder=1)
            for group, (color, marker) in _GROUPS.items():
                for method in (before, after):
                    line = lines.get((backbone, group, method))
                    if line is None:
                        continue
                    position, mean, low, high = (
                        line[column].to_numpy() for column in ("position", "mean", "low", "high")
                    )
                    low, high = np.maximum(low, bottom), np.maximum(high, bottom)
                    axes.fill_between(position, low, high, color=color, alpha=0.12, linewidth=0, zorder=2)
                    axes.plot(
                        position,
                        mean,
                        color=color,
                        marker=marker,
                        markerfacecolor=color if method == after else "white",
                        linestyle="-" if method == after else DASHED,
                        zorder=4 if method == after else 3,
                    )
            axes.set_title(backbone_name(backbone))
            axes.set_xlabel("position in the prompt")
            axes.set_xlim(0.5, last + 0.5)
            axes.set_xticks([1, *range(10, last + 1, 10)] if last >= 10 else range(1, last + 1))
            if number == 0:
                axes.set_ylabel(title)
        # The panels share the score axis, so its limits are set when all of them are drawn.
        if log:
            grid[0][0].set_yscale("log")
            grid[0][0].set_ylim(bottom, means.max() * 1.5)
            grid[0][0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        elif normalise != "zscore":
            grid[0][0].set_ylim(bottom=0)
        stages = {before: "before", after: "after training"}
        handles: list[object] = [
            Line2D(
                [],
                [],
                color=color,
                marker=marker,
                markerfacecolor=color if method == after else "white",
                linestyle="-" if method == after else DASHED,
                label=f"{group}, {stages[method]}",
            )
            for group, (color, marker) in _GROUPS.items()
            for method in (before, after)
            if not rows[(rows["group"] == group) & (rows["method"] == method)].empty
        ]
        handles.append(Patch(color=PALE, label="middle zone"))
        if level is not None:
            handles.append(Line2D([], [], color=GREY, linewidth=0.7, linestyle=DOTTED, label=name))
        legend_above(figure, handles, 2 if len(shown) == 1 else 3)
    return figure


def _points(line: pd.DataFrame, positions: int) -> pd.DataFrame:
    """What is drawn of one curve: position (from 1, the middle of a group), mean, low, high.

    A group's mean and interval are those of its documents, however many of them each position has.
    """
    line = line.sort_values("position")
    place, mean, high, n = (line[name].to_numpy(dtype=float) for name in ("position", "mean", "high", "n"))
    if positions <= _UNGROUPED:
        return line[["mean", "low", "high"]].astype(float).assign(position=place + 1)
    group = np.where(place < _ALONE, place, _ALONE + (place - _ALONE) // _TOGETHER)
    # Squares about zero of a position's documents, from their mean and standard error.
    squares = n * mean**2 + (n - 1) * n * ((high - mean) / _Z) ** 2
    sums = (
        pd.DataFrame({"group": group, "position": place, "n": n, "sum": n * mean, "squares": squares})
        .groupby("group")
        .agg(
            position=("position", "mean"),
            n=("n", "sum"),
            sum=("sum", "sum"),
            squares=("squares", lambda column: column.sum(skipna=False)),
        )
    )
    found = sums["sum"] / sums["n"]
    spread = (sums["squares"] - sums["n"] * found**2).clip(lower=0) / (sums["n"] - 1).clip(lower=1)
    margin = _Z * np.sqrt(spread / sums["n"])
    return pd.DataFrame(
        {"position": sums["position"] + 1, "mean": found, "low": found - margin, "high": found + margin}
    )
