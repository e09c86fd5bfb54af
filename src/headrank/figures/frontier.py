"""Effectiveness against seconds per query: what each method, size and depth gives a practitioner for its time."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from headrank.figures.style import DASHED, DOTTED, DOUBLE, GREY, SERIES, language, legend_above
from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.methods.table import KINDS
from headrank.tables.frontier import frontier_points
from headrank.tables.names import backbone_name, method_name

CAPTION = "nDCG against seconds per query of each method, timed alone, with the Pareto front."
FRAMES = {"metrics": "main", "seconds": "seconds/{backbone}"}
OPTIONS = {
    "metric": "metric",
    "benchmarks": "clocked",
    "backbones": "backbones",
    "first_stage": "first_stage",
}
NEEDS = ("clock",)

MARKERS = {"frozen": "o", "trained": "*", "generative": "s", "supervised": "D"}


def frontier_figure(
    metrics: pd.DataFrame,
    seconds: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    benchmarks: Sequence[str] | None = None,
    backbones: Sequence[str] | None = None,
    first_stage: str | None = None,
) -> Figure:
    """Every method of every backbone as a point, colour by backbone and marker by kind, and the Pareto front.

    Arguments: see ``tables.frontier.frontier_points``. The first stage takes no reranking time, so it is a line
    (first_stage: what it is called). Points on the front are numbered, and their names are listed beside the axes.
    """
    points = frontier_points(metrics, seconds, metric=metric, benchmarks=benchmarks, backbones=backbones)
    first = points[points["method"] == FIRST_STAGE]
    reranked = points[points["backbone"] != ""]
    shown = list(reranked["backbone"].unique())
    with language():
        figure = Figure(figsize=(DOUBLE, 3.6), layout="constrained")
        axes: Axes = figure.subplots()
        for value in first["value"]:
            axes.axhline(value, color=GREY, linestyle=DASHED, linewidth=0.9, zorder=1)
        for look, backbone in zip(SERIES, shown, strict=False):
            part = reranked[reranked["backbone"] == backbone]
            for kind, marker in MARKERS.items():
                some = part[part["kind"] == kind]
                size = 60 if marker == "*" else 18
                axes.scatter(
                    some["seconds"],
                    some["value"],
                    s=size,
                    color=look.color,
                    marker=marker,
                    linewidths=0,
                    zorder=3,
                )
        front = reranked[reranked["best"]].sort_values("seconds")
        axes.plot(
            front["seconds"], front["value"], color=GREY, linestyle=DOTTED, drawstyle="steps-post", zorder=2
        )
        names = []
        for place, row in enumerate(front.to_dict("records"), start=1):
            # Points on the front are often too close together for their names.
            axes.annotate(
                str(place),
                (row["seconds"], row["value"]),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
            names.append(f"{place}  {method_name(row['method'])}, {backbone_name(row['backbone'])}")
        axes.text(
            1.02, 1.0, "\n".join(names), transform=axes.transAxes, va="top", fontsize=7, linespacing=1.6
        )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("seconds per query")
        axes.set_ylabel(metric)
        handles: list[object] = [
            Line2D([], [], color=look.color, marker="o", linestyle="", label=backbone_name(backbone))
            for look, backbone in zip(SERIES, shown, strict=False)
        ]
        handles += [
            Line2D([], [], color=GREY, marker=MARKERS[kind], linestyle="", label=KINDS[kind])
            for kind in KINDS
            if kind in set(reranked["kind"])
        ]
        if len(first):
            handles.append(
                Line2D([], [], color=GREY, linestyle=DASHED, label=method_name(FIRST_STAGE, first_stage))
            )
        handles.append(Line2D([], [], color=GREY, linestyle=DOTTED, label="Pareto front"))
        legend_above(figure, handles, 4)
    return figure
