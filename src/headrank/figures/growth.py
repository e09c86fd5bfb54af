"""Time and memory of a pass against each of its sizes, with what the arithmetic predicts."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullLocator

from headrank.cost.exponents import medians
from headrank.cost.measured import GROWTH_COLUMNS, SIZE_TITLES
from headrank.figures.style import BLACK, DASHED, DOUBLE, SERIES, language, legend_above
from headrank.tables.names import backbone_name
from headrank.tables.tidy import require, require_finite

CAPTION = "Time and memory of a pass against each of its sizes, measured and by arithmetic."
FRAMES = {"rounds": "growth/{shape}"}
NEEDS = (
    "bench",
    "growth",
)


def growth_figure(rounds: pd.DataFrame) -> Figure:
    """Two rows, seconds and memory, with a panel for each size that was varied; both axes are logarithmic.

    rounds: columns ``headrank.cost.measured.GROWTH_COLUMNS``. Markers are medians over the rounds. Lines are the
    arithmetic of ``headrank cost``; its rates are fitted to the backbone's own times or, in the panel that compares
    models, to those of the first model.
    """
    what = "growth"
    require(rounds, GROWTH_COLUMNS, what)
    require_finite(rounds, ["seconds", "products", "attention"], what)
    frame = medians(rounds)
    sizes = [name for name in SIZE_TITLES if name in set(frame["varied"])]
    backbones = list(rounds["backbone"].unique())
    with language():
        figure = Figure(figsize=(DOUBLE, 3.6), layout="constrained")
        grid = figure.subplots(2, len(sizes), squeeze=False, sharex="col", sharey="row")
        for column, size in enumerate(sizes):
            part = frame[frame["varied"] == size]
            for row, (name, unit) in enumerate((("seconds", 1.0), ("memory", 1e9))):
                axes = grid[row][column]
                lines = [("", part)] if size == "model" else part.groupby("backbone", sort=False)
                for backbone, line in lines:
                    _line(axes, line.sort_values("size"), name, unit, backbones, str(backbone))
                _scales(axes, sorted(part["size"].unique()), size)
            grid[1][column].set_xlabel(SIZE_TITLES[size])
        grid[0][0].set_ylabel("seconds")
        grid[1][0].set_ylabel("memory, GB")
        handles: list[object] = [
            Line2D([], [], color=look.color, marker=look.marker, linestyle="", label=backbone_name(name))
            for name, look in zip(backbones, SERIES, strict=False)
        ]
        handles.append(Line2D([], [], color=BLACK, linestyle=DASHED, label="by arithmetic"))
        legend_above(figure, handles, 4)
    return figure


def _line(
    axes: Axes, line: pd.DataFrame, name: str, unit: float, backbones: list[str], backbone: str
) -> None:
    color = SERIES[backbones.index(backbone)].color if backbone else BLACK
    axes.plot(line["size"], line[f"predicted_{name}"] / unit, color=color, linestyle=DASHED)
    for own, points in line.groupby("backbone", sort=False):
        look = SERIES[backbones.index(str(own))]
        axes.plot(
            points["size"], points[name] / unit, color=look.color, marker=look.marker, linestyle="", zorder=3
        )


def _scales(axes: Axes, sizes: list[float], size: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator([float(s) for s in sizes]))
    labels = [f"{s / 1e9:.2g} B" if size == "model" else f"{s:g}" for s in sizes]
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
