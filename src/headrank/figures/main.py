"""Main results at a glance: each method's effectiveness on each backbone, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from headrank.errors import InputError
from headrank.evaluation.bounds import RANDOM_ORDER
from headrank.evaluation.significance import Resampling, bootstrap_interval
from headrank.figures.style import (
    BLACK,
    BLUE,
    DASHED,
    DOTTED,
    DOUBLE,
    GREEN,
    GREY,
    VERMILION,
    language,
    legend_above,
)
from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.methods.table import KINDS, kind_of
from headrank.tables.means import benchmark_means, over_benchmarks
from headrank.tables.names import backbone_name, benchmark_name, by_method, method_name
from headrank.tables.tidy import in_order

CAPTION = "Main results at a glance: nDCG of every method on each backbone, with its interval over queries."
FRAMES = {"metrics": "main"}
OPTIONS = {
    "metric": "metric",
    "backbones": "first_backbones",
    "benchmarks": "common",
    "resampling": "resampling",
    "first_stage": "first_stage",
}
NEEDS = ("common_benchmark",)

_LOOKS = {
    "frozen": (BLUE, "o"),
    "trained": (VERMILION, "D"),
    "generative": (GREEN, "s"),
    "supervised": (BLACK, "v"),
}
_LEVELS = {FIRST_STAGE: DASHED, RANDOM_ORDER: DOTTED}
_ROW, _AROUND = 0.155, 0.9
# More benchmarks than this are counted, not named.
_LISTED = 6


def main_figure(
    metrics: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    resampling: Mapping[str, float] | None = None,
    first_stage: str | None = None,
) -> Figure:
    """A panel per backbone and a row per method, by kind; the first stage and a random order as lines.

    metrics: see ``main_table``; a point is the unweighted mean over ``benchmarks`` (default: all), its bar the
    percentile interval of the bootstrap over queries within each benchmark. A method without a value on every benchmark
    is left out. resampling: arguments of ``significance.Resampling``. first_stage: what it is called. Raises InputError
    for missing columns or rows, and where no method has all benchmarks.
    """
    settings = Resampling(**(resampling or {}))  # type: ignore[arg-type]
    means = benchmark_means(metrics, metric)
    panel = in_order((key[1] for key in means), benchmarks, "metrics")
    shown = in_order((key[0] for key in means if key[0]), backbones, "metrics")
    values = {
        (backbone, method): value
        for backbone in ["", *shown]
        for method in dict.fromkeys(key[2] for key in means if key[0] == backbone)
        if (value := over_benchmarks(means, backbone, method, panel)) is not None
    }
    kinds = list(KINDS)
    named = by_method(dict.fromkeys(method for backbone, method in values if backbone))
    methods = sorted(named, key=lambda method: kinds.index(kind_of(method)))
    if not methods:
        raise InputError(f"metrics: no method has all of {', '.join(panel)}")
    chosen = metrics[(metrics["metric"] == metric) & metrics["benchmark"].isin(panel)]
    queries = {
        key: [rows["value"].to_numpy(dtype=float) for _, rows in part.groupby("benchmark", sort=False)]
        for key, part in chosen.groupby(["backbone", "method"], sort=False)
        if key in values
    }
    with language():
        figure = Figure(figsize=(DOUBLE, _ROW * len(methods) + _AROUND), layout="constrained")
        grid = figure.subplots(1, len(shown), sharey=True, sharex=True, squeeze=False)[0]
        for axes, backbone in zip(grid, shown, strict=True):
            for method, line in _LEVELS.items():
                if (level := values.get(("", method))) is not None:
                    axes.axvline(level, color=GREY, linestyle=line, linewidth=0.9, zorder=1)
            for place, method in enumerate(methods):
                if (backbone, method) in values:
                    interval = bootstrap_interval(queries[backbone, method], settings)
                    _draw(axes, place, values[backbone, method], interval, kind_of(method))
            axes.set_title(backbone_name(backbone))
            axes.grid(axis="y", color="#E4E4E4", linewidth=0.5, zorder=0)
        grid[0].set_yticks(range(len(methods)), [method_name(method) for method in methods])
        grid[0].set_ylim(len(methods) - 0.5, -0.5)
        handles: list[object] = [
            Line2D([], [], color=color, marker=marker, linestyle="", label=KINDS[kind])
            for kind, (color, marker) in _LOOKS.items()
            if kind in {kind_of(method) for method in methods}
        ]
        names = {FIRST_STAGE: method_name(FIRST_STAGE, first_stage), RANDOM_ORDER: "random order"}
        handles += [
            Line2D([], [], color=GREY, linestyle=line, linewidth=0.9, label=names[method])
            for method, line in _LEVELS.items()
            if ("", method) in values
        ]
        legend_above(figure, handles, 3)
        figure.supxlabel(f"{metric}, {_over(panel)}", fontsize=8)
    return figure


def _over(panel: Sequence[str]) -> str:
    names = [benchmark_name(name) for name in panel]
    if len(names) == 1:
        return names[0]
    return f"mean over {', '.join(names) if len(names) <= _LISTED else f'{len(names)} benchmarks'}"


def _draw(axes: Axes, place: int, value: float, interval: tuple[float, float], kind: str) -> None:
    color, marker = _LOOKS[kind]
    reach = [[max(0.0, value - interval[0])], [max(0.0, interval[1] - value)]]
    axes.errorbar(
        value,
        place,
        xerr=reach,
        color=color,
        marker=marker,
        markersize=3.2,
        elinewidth=0.8,
        linestyle="",
        zorder=3,
    )
