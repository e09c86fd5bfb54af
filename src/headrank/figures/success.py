"""Formatting success of written answers by method and backbone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from headrank.errors import InputError
from headrank.figures.style import DOTTED, DOUBLE, GREY, PALE, SERIES, language, legend_above
from headrank.tables.format import RULES, answer_shares
from headrank.tables.names import backbone_name, by_method, method_name
from headrank.tables.tidy import in_order

CAPTION = "Share of answers that keep to the format, per generative method and backbone."
FRAMES = {"counts": "format"}
OPTIONS = {"backbones": "backbones"}
NEEDS = ("written_answers",)

_TITLES = {"complete": "Complete: every id exactly once", "well_formed": "Well-formed: the format asked for"}


def success_figure(
    counts: pd.DataFrame, *, backbones: Sequence[str] | None = None, methods: Sequence[str] | None = None
) -> Figure:
    """A panel per rule, a row per backbone in the order given (by size, for example), a marker per method.

    counts: columns backbone, method, calls, complete, well_formed, as for ``tables.format.format_table``; rows of
    several benchmarks are added up. The line at 100 % stands for methods that write no answers (calls NaN).
    """
    what = "formatting counts"
    shares = answer_shares(counts)
    shown = in_order((key[0] for key in shares), backbones, what)
    drawn = in_order(by_method(key[1] for key in shares if key[0] in shown), methods, what)
    if len(drawn) > len(SERIES):
        raise InputError(
            f"{what}: {len(drawn)} methods, at most {len(SERIES)} can be told apart; choose some"
        )
    looks = dict(zip(drawn, SERIES, strict=False))

    with language():
        height = 1.05 + len(shown) * max(0.2, 0.1 + 0.07 * len(drawn))
        figure = Figure(figsize=(DOUBLE, height), layout="constrained")
        grid = figure.subplots(1, len(RULES), sharey=True, sharex=True)
        offsets = np.linspace(-0.3, 0.3, len(drawn)) if len(drawn) > 1 else np.zeros(1)
        for axes, rule in zip(grid, RULES, strict=True):
            for row in range(0, len(shown), 2):
                axes.axhspan(row - 0.5, row + 0.5, color=PALE, linewidth=0, zorder=0)
            axes.axvline(100, color=GREY, linewidth=0.9, linestyle=DOTTED, zorder=1)
            for method, offset in zip(drawn, offsets, strict=True):
                found = [
                    (100 * shares[backbone, method][rule], row + offset)
                    for row, backbone in enumerate(shown)
                    if (backbone, method) in shares
                ]
                axes.plot(
                    *zip(*found, strict=True),
                    color=looks[method].color,
                    marker=looks[method].marker,
                    markersize=4,
                    linestyle="none",
                    clip_on=False,
                    zorder=3,
                )
            axes.set_title(_TITLES[rule])
            axes.set_xlabel("answers (%)")
            axes.set_xlim(0, 102)
            axes.set_ylim(len(shown) - 0.5, -0.5)
            axes.set_yticks(range(len(shown)), [backbone_name(backbone) for backbone in shown])
            axes.tick_params(axis="y", length=0)
        handles: list[object] = [
            Line2D(
                [],
                [],
                color=looks[method].color,
                marker=looks[method].marker,
                markersize=4,
                linestyle="none",
                label=method_name(method),
            )
            for method in drawn
        ]
        handles.append(
            Line2D(
                [], [], color=GREY, linewidth=0.9, linestyle=DOTTED, label="decoding-free, by construction"
            )
        )
        legend_above(figure, handles, 3)
    return figure
