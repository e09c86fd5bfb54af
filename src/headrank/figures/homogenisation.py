"""Score against prompt position, before and after training: does the middle of the list keep its contrast?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

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

CAPTION = "List-normalised score against position in the prompt, before and after training."
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
    mean (of the score normalised within its list), low and high (confidence limits, may be NaN). normalise: how
    the scores were normalised, ``share`` (times the list's length over its sum: 1 is uniform), ``minmax`` (0 to
    1) or ``zscore``; it names the axis and the line that a list without contrast would follow. zone:
    the first position to shade and the first one after the zone, by default the middle zone (R12 of docs/methods.md)
    of the longest list; the axis counts from 1. log: logarithmic score axis; by default where some position has more
    than eight times a list's mean share, so that the middle can still be read. A group that is absent is left out.
    """
    what = "homogenisation scores"
    keys = ["backbone", "method", "group", "position"]
    require(scores, [*keys, "mean", "low", "high"], what)
    rows = scores[scores["method"].isin([before, after]) & scores["group"].isin(list(_GROUPS))]
    if rows.empty:
        raise InputError(f"{what}: no relevant or irrelevant documents of {before} or {after}")
    require_unique(rows, keys, what)
    require_finite(rows, ["position", "mean"], what)
    if normalise not in _NORMALISED:
        raise UsageError(f"{what}: normalisation {normalise!r} is not known; use {', '.join(_NORMALISED)}")
    title, level, name = _NORMALISED[normalise]
    pale = 0.08 if log else 0.15
    shown = in_order(rows["backbone"], backbones, what)
    if log is None:
        log = normalise == "share" and rows["mean"].max() > _DWARFING and rows["mean"].min() > 0

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
                    line = here[(here["group"] == group) & (here["method"] == method)].sort_values("position")
                    if line.empty:
                        continue
                    position = line["position"].to_numpy(dtype=float) + 1
                    low, high = (line[limit].to_numpy(dtype=float) for limit in ("low", "high"))
                    axes.fill_between(position, low, high, color=color, alpha=pale, linewidth=0, zorder=2)
                    axes.plot(
                        position,
                        line["mean"].to_numpy(dtype=float),
                        color=color,
                        marker=marker,
                        markevery=max(1, last // 8),
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
            # Intervals may reach below zero, which has no place on this axis: it spans the means.
            grid[0][0].set_ylim(rows["mean"].min() / 1.5, rows["mean"].max() * 1.5)
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
