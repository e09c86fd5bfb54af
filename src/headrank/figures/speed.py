"""Time against list length, as ratios and in seconds, and time against depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullLocator

from headrank.cost.measured import COLUMNS, PRODUCT, TITLES
from headrank.cost.ratios import reference_depth, summarise
from headrank.figures.style import (
    BLACK,
    BLUE,
    DASHED,
    DOTTED,
    DOUBLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Look,
    language,
    legend_above,
)
from headrank.tables.names import backbone_name
from headrank.tables.tidy import require, require_finite

CAPTION = "Time of every way to score a list, against its length and against the depth."
FRAMES = {"rounds": "speed/{shape}"}
NEEDS = ("bench",)

LOOKS = {
    "headrank": Look(BLUE, "o", "-"),
    "forward": Look(BLACK, "s", DASHED),
    "icr": Look(SKY, "P", "-"),
    "two-passes": Look(GREEN, "^", DASHED),
    "eager": Look(ORANGE, "D", DASHED),
    "all-attentions": Look(ORANGE, "x", DOTTED),
    "qwen3-reranker": Look(PURPLE, "v", (0, (5, 1.5, 1, 1.5))),
    "first": Look(GREY, "<", (0, (5, 1.5, 1, 1.5))),
    "rankgpt": Look(VERMILION, ">", (0, (5, 1.5, 1, 1.5))),
}
BEST = Look(GREY, "", DOTTED)


def speed_figure(rounds: pd.DataFrame) -> Figure:
    """Three panels per backbone: time relative to HeadRank's, and seconds, against passages; seconds against depth.

    rounds: columns ``headrank.cost.measured.COLUMNS``. Against passages, truncated passes are shown at the depth
    nearest to 55 %. Against depth, they are shown for the longest list that has all depths, together with the time that
    their products alone would take at the machine's measured rate.
    """
    what = "benchmark"
    require(rounds, COLUMNS, what)
    require_finite(rounds, ["seconds"], what)
    depth = reference_depth(rounds)
    summary = summarise(rounds)
    summary["ideal"] = summary["seconds"] * summary["share"]
    backbones = list(summary["backbone"].unique())
    shown = [name for name in LOOKS if name in set(summary["method"])]
    with language():
        figure = Figure(figsize=(DOUBLE, 2.3 * len(backbones) + 0.5), layout="constrained")
        grid = figure.subplots(len(backbones), 3, squeeze=False)
        for row, backbone in enumerate(backbones):
            part = summary[summary["backbone"] == backbone]
            lists = part[(part["depth"] == 1.0) | (part["depth"] == depth)]
            lists = lists[~(lists["method"].isin(["headrank", "forward"]) & (lists["depth"] != depth))]
            _against_n(grid[row][0], lists, "times", shown)
            grid[row][0].set_ylabel(f"times HeadRank at {depth:.0%}")
            _against_n(grid[row][1], lists, "seconds", shown)
            grid[row][1].set_ylabel("seconds per query")
            _against_depth(grid[row][2], part[part["n"] == _most_depths(part)])
            grid[row][0].set_title(backbone_name(backbone))
        handles: list[object] = [
            Line2D([], [], color=look.color, marker=look.marker, linestyle=look.line, label=TITLES[name])
            for name, look in LOOKS.items()
            if name in shown
        ]
        handles.append(
            Line2D([], [], color=BEST.color, linestyle=BEST.line, label="products at the machine's rate")
        )
        legend_above(figure, handles, 4)
    return figure


def _against_n(axes: Axes, part: pd.DataFrame, column: str, shown: list[str]) -> None:
    lengths = sorted(part.loc[part["method"] != PRODUCT, "n"].unique())
    for name in shown:
        line = part[part["method"] == name].sort_values("n")
        look = LOOKS[name]
        axes.plot(
            line["n"], line[column], color=look.color, marker=look.marker, linestyle=look.line, zorder=3
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator([float(n) for n in lengths]))
    axes.xaxis.set_major_formatter(FixedFormatter([str(n) for n in lengths]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("passages")


def _most_depths(part: pd.DataFrame) -> int:
    """The longest of the lists that were measured at the most depths."""
    depths = part[part["method"] == "headrank"].groupby("n")["depth"].nunique()
    return int(depths[depths == depths.max()].index.max())


def _against_depth(axes: Axes, part: pd.DataFrame) -> None:
    for name in ("headrank", "forward"):
        line = part[part["method"] == name].sort_values("depth")
        look = LOOKS[name]
        axes.plot(
            100 * line["depth"],
            line["seconds"],
            color=look.color,
            marker=look.marker,
            linestyle=look.line,
            zorder=3,
        )
    line = part[part["method"] == "headrank"].sort_values("depth")
    axes.plot(100 * line["depth"], line["ideal"], color=BEST.color, linestyle=BEST.line)
    axes.set_xlim(0, 105)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("layers run (%)")
    axes.set_ylabel(f"seconds, {part['n'].max()} passages")
