"""Layer x head maps of every selection criterion, each with the heads that it selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from headrank.errors import InputError, UsageError
from headrank.figures.heads import ticks
from headrank.figures.style import BLACK, language, legend_above, panels
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = "Every criterion's score for every head."
FRAMES = {"scores": "heads-criteria", "selected": "heads-selected"}
OPTIONS = {"backbones": "first_backbones", "methods": "criteria"}
NEEDS = ("head_sets",)

Scaling = Literal["zscore", "rank"]

# Label of the colour scale.
_SCALED = {"zscore": "score (z per map)", "rank": "rank of the score (share of heads below)"}
_CUT = 3.0  # standard deviations


def head_maps_figure(
    scores: pd.DataFrame,
    selected: pd.DataFrame,
    *,
    scaling: Scaling = "zscore",
    backbones: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
) -> Figure:
    """A row of maps per criterion, a column per backbone (at most four), layer 0 at the bottom of each.

    scores: columns backbone, method (whose criterion it is), layer, head (both from 0), statistic, value (NaN:
    grey), one statistic per method. selected: columns backbone, method, layer, head; the heads of a method are
    ringed in its own map, those of methods without scores are left out. Each criterion has its own scale, so
    colours are scaled per map: ``zscore`` (value minus mean over standard deviation, cut at 3) or
    ``rank`` (share of the map's heads with a smaller value, 0 to 1, ties at their mean).
    """
    what = "head scores"
    keys = ["backbone", "method", "layer", "head"]
    require(scores, [*keys, "statistic", "value"], what)
    require(selected, keys, "selected heads")
    require_finite(scores, ["layer", "head"], what)
    if scaling not in _SCALED:
        raise UsageError(f"{what}: scaling {scaling!r} is not known; use {', '.join(_SCALED)}")
    shown = in_order(scores["backbone"], backbones, what)
    if len(shown) > 4:
        raise InputError(f"{what}: {len(shown)} backbones, at most 4 fit side by side; choose some")
    rows = scores[scores["backbone"].isin(shown)]
    criteria = in_order(by_method(rows["method"]), methods, what)
    for method in criteria:
        several = sorted(map(str, rows.loc[rows["method"] == method, "statistic"].unique()))
        if len(several) > 1:
            raise InputError(f"{what}: several statistics of {method} ({', '.join(several)}); keep one")
    require_unique(rows, keys, what)

    scaled = rows.assign(
        value=rows.groupby(["backbone", "method"], sort=False)["value"].transform(_scaled, scaling)
    )
    counts = scaled.groupby(["backbone", "method"], sort=False)["value"].count().reset_index()
    empty = counts[counts["value"] == 0]
    if not empty.empty:
        first = empty.iloc[0]
        raise InputError(f"{what}: {first['method']} ({first['backbone']}) has no finite value")
    # Scores are seldom symmetric: the colour scale covers only the values that occur.
    low = max(-_CUT, float(scaled["value"].min())) if scaling == "zscore" else 0.0
    high = min(_CUT, float(scaled["value"].max())) if scaling == "zscore" else 1.0
    with language():
        height = min(1.25, 8.2 / len(criteria))
        figure, grid = panels(len(shown), height, rows=len(criteria), share_y=False)
        colors = matplotlib.colormaps["cividis"].with_extremes(bad="#BDBDBD")
        for column, (backbone, panel) in enumerate(zip(shown, grid, strict=True)):
            for number, (method, axes) in enumerate(zip(criteria, panel, strict=True)):
                here = scaled[(scaled["backbone"] == backbone) & (scaled["method"] == method)]
                if number == 0:
                    axes.set_title(backbone_name(backbone))
                if column == 0:
                    axes.set_ylabel(f"{_in_lines(method_name(method))}\nlayer")
                if here.empty:
                    axes.spines[:].set_visible(False)
                    axes.set(xticks=[], yticks=[])
                    axes.text(0.5, 0.5, "no scores", transform=axes.transAxes, ha="center", va="center")
                    continue
                layers, heads = (here[name].to_numpy(dtype=int) for name in ("layer", "head"))
                values = np.full((layers.max() + 1, heads.max() + 1), np.nan)
                values[layers, heads] = here["value"]
                mesh = axes.imshow(
                    np.ma.masked_invalid(values),
                    cmap=colors,
                    norm=Normalize(low, high),
                    origin="lower",
                    aspect="auto",
                    interpolation="none",
                )
                chosen = selected[(selected["backbone"] == backbone) & (selected["method"] == method)]
                outside = (chosen["layer"] >= values.shape[0]) | (chosen["head"] >= values.shape[1])
                if outside.any():
                    layer, head = chosen.loc[outside, ["layer", "head"]].iloc[0]
                    raise InputError(
                        f"selected heads: {backbone} has no scored head {layer}-{head} of {method}"
                    )
                if not chosen.empty:  # an empty line that is not clipped has no extent to lay out
                    axes.plot(
                        chosen["head"],
                        chosen["layer"],
                        linestyle="none",
                        marker="o",
                        markersize=3.8,
                        markerfacecolor="none",
                        markeredgecolor="white",
                        markeredgewidth=0.6,
                        path_effects=[withStroke(linewidth=1.4, foreground=BLACK)],
                        clip_on=False,
                    )
                axes.spines[:].set_visible(False)
                axes.set_xticks(ticks(values.shape[1]))
                axes.set_yticks(ticks(values.shape[0], most=5))
                axes.tick_params(labelbottom=number == len(criteria) - 1)
                if number == len(criteria) - 1:
                    axes.set_xlabel("head")
        figure.align_ylabels()
        ends = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
        extend = ends[float(scaled["value"].min()) < low, float(scaled["value"].max()) > high]
        bar = figure.colorbar(
            mesh,
            ax=[axes for panel in grid for axes in panel],
            label=_SCALED[scaling],
            aspect=12 * len(criteria),
            pad=0.02,
            extend=extend,
        )
        bar.outline.set_visible(False)
        ring = Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=4,
            markerfacecolor="none",
            markeredgecolor=BLACK,
            label="selected by the criterion of its row",
        )
        legend_above(figure, [ring], 1)
    return figure


def _in_lines(name: str) -> str:
    """``QRHead (solo nDCG)`` on two lines, to fit the height of a map."""
    return name.replace(" (", "\n(").replace(", ", ",\n")


def _scaled(values: pd.Series, scaling: Scaling) -> pd.Series:
    """The values of one map on the common scale; NaN stays NaN, values that are all alike lie in the middle."""
    known = values.replace([np.inf, -np.inf], np.nan).astype(float)
    if scaling == "rank":
        return (known.rank(method="average") - 1) / max(int(known.notna().sum()) - 1, 1)
    spread = float(known.std(ddof=0))
    return (known - known.mean()) / (spread or 1.0)
