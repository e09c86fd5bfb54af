"""nDCG@10 of single layers, of random heads and of the heads that each method chose."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from headrank.errors import InputError
from headrank.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    Look,
    language,
    legend_above,
    panels,
)
from headrank.tables.controls import common_benchmarks, control_means, own_values
from headrank.tables.names import UNTRAINED, backbone_name, by_method, method_name
from headrank.tables.tidy import in_order, require_finite

CAPTION = "nDCG of each layer alone and of random heads, compared with the chosen heads."
FRAMES = {
    "layers": "controls/{backbone}-layers",
    "draws": "controls/{backbone}-draws",
    "references": "controls/{backbone}-references",
}
OPTIONS = {"metric": "metric", "backbones": "backbones", "benchmarks": "common"}
NEEDS = ("training",)

_LOOKS = {
    "icr": Look(PURPLE, "none", (0, (1, 1))),
    "qrhead": Look(GREEN, "none", (0, (5, 1.5, 1, 1.5))),
    "core": Look(VERMILION, "none", (0, (5, 1.5))),
    UNTRAINED: Look(BLUE, "none", "-"),
}


def controls_figure(
    layers: pd.DataFrame,
    draws: pd.DataFrame,
    references: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
) -> Figure:
    """One panel per backbone: mean over benchmarks against layer, a band for random draws, a line per reference.

    layers: columns backbone, benchmark, layer (from 0), value (``metric`` of all heads of that layer alone).
    draws: backbone, benchmark, draw, value (random heads); the band runs from the worst to the best draw, its
    line is their mean. references: backbone, benchmark, method (``icr``, ``qrhead``, ``core``,
    ``headrank-untrained``; others are left out), value. The benchmarks are those of the
    draws; raises InputError when one of them is missing elsewhere.
    """
    what = "control references"
    common = common_benchmarks(draws, benchmarks)
    by_layer = control_means(layers, "layer", "layer controls", common)
    require_finite(layers, ["layer"], "layer controls")
    by_draw = control_means(draws, "draw", "random draws", common)
    levels = control_means(references, "method", what, common)
    strange = sorted(set(levels["method"]) - set(_LOOKS))
    levels = levels[levels["method"].isin(list(_LOOKS))]
    if levels.empty:
        raise InputError(f"{what}: no line for {strange[0]!r}; draw {', '.join(_LOOKS)}")
    shown = in_order(by_layer["backbone"], backbones, "layer controls")

    with language():
        figure, grid = panels(len(shown), 2.2 if len(shown) > 1 else 2.8)
        for number, (backbone, (axes,)) in enumerate(zip(shown, grid, strict=True)):
            random = own_values(by_draw, "draw", backbone, "random draws").to_numpy(dtype=float)
            layer = own_values(by_layer, "layer", backbone, "layer controls")
            axes.axhspan(random.min(), random.max(), color=GREY, alpha=0.25, linewidth=0, zorder=1)
            axes.axhline(random.mean(), color=GREY, linewidth=1, zorder=2)
            for method, level in own_values(levels, "method", backbone, what).items():
                look = _LOOKS[str(method)]
                axes.axhline(level, color=look.color, linestyle=look.line, zorder=3)
            axes.plot(
                layer.index.to_numpy(dtype=float),
                layer.to_numpy(dtype=float),
                color=BLACK,
                marker="o",
                markersize=2.5,
                linewidth=0.9,
                zorder=4,
            )
            axes.set_title(backbone_name(backbone))
            axes.set_xlabel("layer")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
            axes.margins(x=0.03)
            if number == 0:
                axes.set_ylabel(f"mean {metric}")
        handles: list[object] = [
            Line2D([], [], color=BLACK, marker="o", markersize=2.5, linewidth=0.9, label="one layer alone"),
            Patch(color=GREY, alpha=0.25, linewidth=0, label="random heads, range"),
            Line2D([], [], color=GREY, linewidth=1, label="random heads, mean"),
        ]
        handles += [
            Line2D(
                [], [], color=_LOOKS[method].color, linestyle=_LOOKS[method].line, label=method_name(method)
            )
            for method in by_method(levels["method"])
        ]
        legend_above(figure, handles, 2 if len(shown) == 1 else 3)
    return figure
