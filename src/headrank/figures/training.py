"""Training curves: loss, pair accuracy and held-out nDCG@10 against step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from headrank.errors import InputError
from headrank.figures.style import (
    BLUE,
    DASHED,
    DOTTED,
    GREY,
    VERMILION,
    Look,
    language,
    legend_above,
    panels,
)
from headrank.tables.names import TRAINED, backbone_name
from headrank.tables.tidy import in_order, require, require_finite

CAPTION = "Loss and pair accuracy over the optimiser steps, on training and held-out queries."
FRAMES = {"curves": "training"}
OPTIONS = {"backbones": "backbones"}
NEEDS = ("training",)

_SPLITS = {"train": Look(BLUE, "none", "-"), "heldout": Look(VERMILION, "s", DASHED)}
# Column, factor and label of each row of panels.
_VALUES = (
    ("loss", 1, "loss"),
    ("pair_accuracy", 100, "hard pairs\nin order (%)"),
    ("ndcg", 1, "nDCG@10"),
)
_MANY = 60  # more steps than this are drawn as a running mean over their noise


def training_figure(
    curves: pd.DataFrame, *, variant: str = TRAINED, backbones: Sequence[str] | None = None
) -> Figure:
    """One column of panels per backbone: loss, pair accuracy (percent) and nDCG@10; a line at the step kept.

    curves: columns backbone, variant, step, split (``train``, ``heldout``), loss, pair_accuracy (share of pairs
    in the right order, 0 to 1), ndcg (of held-out lists, 0 to 1), kept (whether the adapter has this row's weights);
    values may be NaN where they were not measured.
    """
    what = "training curves"
    require(curves, ["backbone", "variant", "step", "split", "loss", "pair_accuracy", "ndcg", "kept"], what)
    in_order(curves["variant"], [variant], what)
    rows = curves[(curves["variant"] == variant) & curves["split"].isin(list(_SPLITS))]
    if rows.empty:
        raise InputError(f"{what}: {variant} has neither split train nor split heldout")
    require_finite(rows, ["step"], what)
    shown = in_order(rows["backbone"], backbones, what)

    with language():
        figure, grid = panels(len(shown), 1.4, rows=3)
        smoothed = False
        for number, (backbone, axes) in enumerate(zip(shown, grid, strict=True)):
            own = rows[rows["backbone"] == backbone].sort_values("step", kind="stable")
            for split in _SPLITS:
                line = own[own["split"] == split]
                for panel, (value, scale, _) in zip(axes, _VALUES, strict=True):
                    smoothed |= _draw(panel, line["step"], scale * line[value], split)
            kept = own.loc[own["kept"].astype(bool), "step"].max()
            axes[0].set_title(backbone_name(backbone))
            axes[-1].set_xlabel("optimiser step")
            for panel, (_, _, label) in zip(axes, _VALUES, strict=True):
                if np.isfinite(kept):
                    panel.axvline(kept, color=GREY, linewidth=0.8, linestyle=DOTTED, zorder=1)
                panel.set_xlim(axes[0].get_xlim())
                panel.tick_params(labelbottom=panel is axes[-1])
                if number == 0:
                    panel.set_ylabel(label)
        figure.align_ylabels()
        names = {"train": "training lists", "heldout": "held-out queries"}
        if smoothed:
            names["train"] += " (running mean)"
        handles: list[object] = [
            Line2D([], [], color=look.color, marker=look.marker, linestyle=look.line, label=names[split])
            for split, look in _SPLITS.items()
            if split in set(rows["split"])
        ]
        if rows["kept"].any():
            handles.append(Line2D([], [], color=GREY, linewidth=0.8, linestyle=DOTTED, label="kept"))
        legend_above(figure, handles, 2 if len(shown) == 1 else 3)
    return figure


def _draw(axes: Axes, steps: pd.Series, values: pd.Series, split: str) -> bool:
    """Draw one curve; True when it was smoothed."""
    look = _SPLITS[split]
    known = np.isfinite(values.to_numpy(dtype=float))
    x, y = steps.to_numpy(dtype=float)[known], values.to_numpy(dtype=float)[known]
    many = len(x) > _MANY
    if many:
        axes.plot(x, y, color=look.color, linewidth=0.5, alpha=0.35, zorder=2)
        window = max(3, len(x) // 20)
        y = pd.Series(y).rolling(window, center=True, min_periods=1).mean().to_numpy()
    axes.plot(
        x,
        y,
        color=look.color,
        linestyle=look.line,
        marker=look.marker,
        markevery=max(1, len(x) // 12),
        zorder=3,
    )
    return many
