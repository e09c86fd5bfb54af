"""Training curves: loss and pair accuracy against step."""

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
    VERMILLION,
    Look,
    language,
    legend_above,
    panels,
)
from headrank.tables.names import TRAINED, backbone_name
from headrank.tables.tidy import in_order, require, require_finite

_SPLITS = {"train": Look(BLUE, "none", "-"), "heldout": Look(VERMILLION, "s", DASHED)}
_MANY = 60  # more steps than this are drawn as a running mean over their noise


def training_figure(
    curves: pd.DataFrame, *, variant: str = TRAINED, backbones: Sequence[str] | None = None
) -> Figure:
    """One column of panels per backbone: loss above, pair accuracy (percent) below.

    curves: columns backbone, variant, step, split (``train``, ``heldout``), loss, pair_accuracy (share of pairs
    in the right order, 0 to 1); either value may be NaN where it was not measured.
    """
    what = "training curves"
    require(curves, ["backbone", "variant", "step", "split", "loss", "pair_accuracy"], what)
    in_order(curves["variant"], [variant], what)
    rows = curves[(curves["variant"] == variant) & curves["split"].isin(list(_SPLITS))]
    if rows.empty:
        raise InputError(f"{what}: {variant} has neither split train nor split heldout")
    require_finite(rows, ["step"], what)
    shown = in_order(rows["backbone"], backbones, what)

    with language():
        figure, grid = panels(len(shown), 1.55, rows=2)
        smoothed = False
        for number, (backbone, (loss, accuracy)) in enumerate(zip(shown, grid, strict=True)):
            for split in _SPLITS:
                line = rows[(rows["backbone"] == backbone) & (rows["split"] == split)].sort_values("step")
                smoothed |= _draw(loss, line["step"], line["loss"], split)
                smoothed |= _draw(accuracy, line["step"], 100 * line["pair_accuracy"], split)
            loss.set_title(backbone_name(backbone))
            loss.tick_params(labelbottom=False)
            accuracy.set_xlabel("optimiser step")
            accuracy.set_xlim(loss.get_xlim())
            if number == 0:
                loss.set_ylabel("loss")
                accuracy.set_ylabel("hard pairs in order (%)")
        figure.align_ylabels()
        names = {"train": "training lists", "heldout": "held-out queries"}
        if smoothed:
            names["train"] += " (running mean)"
        handles: list[object] = [
            Line2D([], [], color=look.color, marker=look.marker, linestyle=look.line, label=names[split])
            for split, look in _SPLITS.items()
            if split in set(rows["split"])
        ]
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
