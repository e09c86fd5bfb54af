"""Probabilities of relevance against the share that is relevant: the diagram of ``headrank probability report``."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from headrank.figures.style import BLUE, DASHED, GREY, PALE, SINGLE, language
from headrank.tables.tidy import require, require_finite


def draw_reliability(bins: pd.DataFrame, title: str = "") -> Figure:
    """Above, a point per bin, on the diagonal if probabilities mean what they say; below, how many passages it has.

    bins: ``headrank.evaluation.calibration.RELIABILITY``. Bars at the points reach two standard errors of a share of so
    many independent passages, and are too short where passages of a query are alike.
    """
    what = "reliability"
    columns = ["low", "high", "passages", "probability", "relevant"]
    require(bins, columns, what)
    require_finite(bins, columns, what)
    share = bins["relevant"]
    error = 2 * (share * (1 - share) / bins["passages"]) ** 0.5
    with language():
        figure = Figure(figsize=(SINGLE, 3.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], color=GREY, linestyle=DASHED, linewidth=0.8)
        upper.errorbar(
            bins["probability"],
            share,
            yerr=error,
            color=BLUE,
            marker="o",
            capsize=2,
            elinewidth=0.8,
            zorder=3,
        )
        upper.set_ylabel("share relevant")
        upper.set_ylim(-0.02, 1.02)
        upper.set_title(title)
        width = bins["high"] - bins["low"]
        lower.bar(
            bins["low"], bins["passages"], width, align="edge", color=PALE, edgecolor=GREY, linewidth=0.6
        )
        lower.set_ylabel("passages")
        lower.set_xlabel("probability")
        lower.set_xlim(0, 1)
    return figure
