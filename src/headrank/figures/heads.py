"""Layer x head map of a head statistic, with the heads that each method selected."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from headrank.errors import InputError
from headrank.figures.style import BLACK, language, legend_above, panels
from headrank.tables.names import TRAINED, backbone_name, method_name
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = "Selection score of every head, with the heads that each method chose."
FRAMES = {"scores": "heads", "selected": "heads-selected"}
OPTIONS = {"backbones": "backbones"}
NEEDS = ("training",)

# Nested, so that a head that several methods chose shows all of their marks; size relative to the cell.
_SHAPES = {"qrhead": ("s", 0.92, "none"), "core": ("D", 0.62, "none"), TRAINED: ("o", 0.34, "white")}


def heads_figure(
    scores: pd.DataFrame,
    selected: pd.DataFrame,
    *,
    statistic: str = "selection",
    label: str = "selection score",
    backbones: Sequence[str] | None = None,
) -> Figure:
    """One panel per backbone on a common colour scale, layer 0 at the bottom.

    scores: columns backbone, layer, head (both from 0), statistic, value (NaN: grey). selected: columns
    backbone, method (``headrank``, ``core``, ``qrhead``; others are left out), layer, head. statistic: which one to
    draw, when there are several; label: the name of the colour scale. A dashed line lies above the layer of the
    deepest HeadRank head.
    """
    what = "head scores"
    require(scores, ["backbone", "layer", "head", "statistic", "value"], what)
    require(selected, ["backbone", "method", "layer", "head"], "selected heads")
    in_order(scores["statistic"], [statistic], what)
    rows = scores[scores["statistic"] == statistic]
    require_unique(rows, ["backbone", "layer", "head"], what)
    require_finite(rows, ["layer", "head"], what)
    finite = rows["value"].to_numpy(dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        raise InputError(f"{what}: {statistic} has no finite value")
    strange = sorted(set(selected["method"]) - set(_SHAPES))
    selected = selected[selected["method"].isin(list(_SHAPES))]
    if selected.empty:
        raise InputError(f"selected heads: no marker for {strange[0]!r}; draw {', '.join(_SHAPES)}")
    shown = in_order(rows["backbone"], backbones, what)

    with language():
        deepest = int(rows["layer"].max()) + 1
        widest = int(rows["head"].max()) + 1
        height = float(np.clip(0.09 * deepest, 2.1, 3.6))
        figure, grid = panels(len(shown), height, share_y=False)
        width = figure.get_figwidth() * 0.78 / min(len(shown), 4)
        cell = min(72 * width / widest, 72 * 0.72 * height / deepest)
        scale = Normalize(float(finite.min()), float(finite.max()))
        colors = matplotlib.colormaps["cividis"].with_extremes(bad="#BDBDBD")
        for number, (backbone, (axes,)) in enumerate(zip(shown, grid, strict=True)):
            here = rows[rows["backbone"] == backbone]
            values = np.full((int(here["layer"].max()) + 1, int(here["head"].max()) + 1), np.nan)
            values[here["layer"].to_numpy(dtype=int), here["head"].to_numpy(dtype=int)] = here["value"]
            mesh = axes.imshow(
                np.ma.masked_invalid(values),
                cmap=colors,
                norm=scale,
                origin="lower",
                aspect="auto",
                interpolation="none",
            )
            chosen = selected[selected["backbone"] == backbone]
            outside = (chosen["layer"] >= values.shape[0]) | (chosen["head"] >= values.shape[1])
            if outside.any():
                layer, head = chosen.loc[outside, ["layer", "head"]].iloc[0]
                raise InputError(f"selected heads: {backbone} has no scored head {layer}-{head}")
            for method, (marker, size, face) in _SHAPES.items():
                heads = chosen[chosen["method"] == method]
                if heads.empty:
                    continue
                axes.plot(
                    heads["head"],
                    heads["layer"],
                    linestyle="none",
                    marker=marker,
                    markersize=float(np.clip(size * cell, 1.6, 9 * size)),
                    markerfacecolor=face,
                    markeredgecolor="white",
                    markeredgewidth=0.8,
                    path_effects=[withStroke(linewidth=1.8, foreground=BLACK)],
                    clip_on=False,
                )
            trained = chosen[chosen["method"] == TRAINED]
            if not trained.empty and (edge := float(trained["layer"].max()) + 0.5) < values.shape[0] - 0.5:
                axes.axhline(
                    edge,
                    color="white",
                    linewidth=0.9,
                    linestyle=(0, (4, 2)),
                    path_effects=[withStroke(linewidth=1.9, foreground=BLACK)],
                )
            axes.spines[:].set_visible(False)
            axes.set_title(backbone_name(backbone))
            axes.set_xlabel("head")
            axes.set_xticks(ticks(values.shape[1]))
            axes.set_yticks(ticks(values.shape[0]))
            if number == 0:
                axes.set_ylabel("layer")
        bar = figure.colorbar(mesh, ax=[axes for (axes,) in grid], label=label, aspect=25, pad=0.02)
        bar.outline.set_visible(False)
        handles: list[object] = [
            Line2D(
                [],
                [],
                linestyle="none",
                marker=marker,
                markersize=6.5 * size if size > 0.5 else 4,
                markerfacecolor=face,
                markeredgecolor=BLACK,
                label=method_name(method),
            )
            for method, (marker, size, face) in reversed(_SHAPES.items())
            if method in set(selected["method"])
        ]
        handles.append(
            Line2D([], [], color=BLACK, linewidth=0.9, linestyle=(0, (4, 2)), label="deepest HeadRank layer")
        )
        legend_above(figure, handles, 2 if len(shown) == 1 else 4)
    return figure


def ticks(number: int, most: int = 9) -> list[int]:
    """At most ``most`` indices from 0 to ``number`` - 1, a power of two apart."""
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64) if number / step <= most or step == 64)
    return list(range(0, number, step))
