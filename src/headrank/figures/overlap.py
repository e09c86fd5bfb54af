"""Which heads the selection criteria share."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from headrank.errors import InputError
from headrank.figures.style import BLACK, language, panels
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = "How many heads each pair of criteria shares."
FRAMES = {"selected": "heads-selected"}
OPTIONS = {"backbones": "backbones", "methods": "criteria"}
NEEDS = ("several_criteria",)

_ACROSS = 3  # matrices side by side


def overlap_figure(
    selected: pd.DataFrame, *, backbones: Sequence[str] | None = None, methods: Sequence[str] | None = None
) -> Figure:
    """One matrix per backbone: Jaccard index of two criteria's heads as colour, number of shared heads as text.

    selected: columns backbone, method, layer, head, a row per selected head. methods: the criteria and their order
    (default: all); the diagonal holds how many heads each selects. A criterion that a backbone lacks has no
    cells there. Raises InputError for fewer than two criteria or a head that is named twice.
    """
    what = "selected heads"
    columns = ["backbone", "method", "layer", "head"]
    require(selected, columns, what)
    require_finite(selected, ["layer", "head"], what)
    require_unique(selected, columns, what)
    shown = in_order(selected["backbone"], backbones, what)
    rows = selected[selected["backbone"].isin(shown)]
    criteria = in_order(by_method(rows["method"]), methods, what)
    if len(criteria) < 2:
        raise InputError(f"{what}: only {criteria[0]}; an overlap needs two criteria")
    names = [method_name(method) for method in criteria]
    chosen = {
        key: set(zip(group["layer"], group["head"], strict=True))
        for key, group in rows.groupby(["backbone", "method"], sort=False)
    }

    with language():
        longest = max(map(len, names))
        # Names appear once, under the lowest matrix of each column.
        lines = -(-len(shown) // _ACROSS)
        cells = max(
            1.4, (0.21 if len(shown) > 1 else 0.24) * len(criteria)
        )  # no lower than the scale's label
        height = 0.5 + 0.068 * longest / lines + cells
        figure, grid = panels(len(shown), height, per_row=_ACROSS)
        colors = matplotlib.colormaps["cividis"].with_extremes(bad="white")
        for number, (backbone, (axes,)) in enumerate(zip(shown, grid, strict=True)):
            index = np.full((len(criteria), len(criteria)), np.nan)
            for row, one in enumerate(criteria):
                for column, other in enumerate(criteria[: row + 1]):
                    first, second = chosen.get((backbone, one)), chosen.get((backbone, other))
                    if not first or not second:
                        continue
                    shared = len(first & second)
                    index[row, column] = shared / len(first | second)
                    color = BLACK if index[row, column] > 0.55 else "white"
                    axes.text(column, row, str(shared), ha="center", va="center", color=color, fontsize=7)
            mesh = axes.imshow(
                np.ma.masked_invalid(index),
                cmap=colors,
                norm=Normalize(0, 1),
                aspect="auto",
                interpolation="none",
            )
            axes.spines[:].set_visible(False)
            axes.set_title(backbone_name(backbone))
            axes.set_xticks(range(len(criteria)), names, rotation=90)
            axes.set_yticks(range(len(criteria)), names)
            lowest = number + _ACROSS >= len(shown)
            axes.tick_params(length=0, labelleft=number % _ACROSS == 0, labelbottom=lowest)
            for edge in np.arange(0.5, len(criteria) - 1):
                axes.axhline(edge, color="white", linewidth=0.8)
                axes.axvline(edge, color="white", linewidth=0.8)
        bar = figure.colorbar(
            mesh,
            ax=[axes for (axes,) in grid],
            label="Jaccard index\n(numbers: shared heads)",
            aspect=25 * lines,
            pad=0.02,
        )
        bar.outline.set_visible(False)
    return figure
