"""Controls of head choice: random heads and single layers, compared with the heads that were chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from headrank.errors import InputError
from headrank.tables.means import averages_legend
from headrank.tables.names import UNTRAINED, average_name, backbone_name, by_method, method_name
from headrank.tables.table import Cell, Column, Table, bold_best, count_cell, number_cell, text_cell
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = "Controls of the choice of heads: random heads, each layer alone, and the heads of other methods."
FRAMES = {
    "layers": "controls/{backbone}-layers",
    "draws": "controls/{backbone}-draws",
    "references": "controls/{backbone}-references",
}
OPTIONS = {
    "metric": "metric",
    "backbones": "backbones",
    "benchmarks": "common",
    "averages": "common_averages",
}
NEEDS = ("training",)

RANDOM, BEST_LAYER = "random", "best-layer"


def controls_table(
    layers: pd.DataFrame,
    draws: pd.DataFrame,
    references: pd.DataFrame,
    *,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    averages: Mapping[str, Sequence[str]] | None = None,
    selected: str = UNTRAINED,
) -> Table:
    """Per backbone: random heads over draws, the best single layer, the chosen heads with their rank among draws.

    layers: columns backbone, benchmark, layer (from 0), value (``metric`` of all heads of that layer alone).
    draws: backbone, benchmark, draw, value (as many random heads as are selected; a draw takes the same heads on
    every benchmark). references: backbone, benchmark, method, value. Values are means over queries; the table
    shows their unweighted mean over ``benchmarks`` (default: those of the draws) and, below it, over the benchmarks of
    each of ``averages``. ``selected`` must be among the references. See docs/methods.md, "Controls of head choice".
    """
    common = common_benchmarks(draws, benchmarks)
    averages = averages or {}
    panels = {f"all {len(common)}": common, **averages}
    shown = in_order(draws["backbone"], backbones, "random draws")
    groups: list[tuple[tuple[Cell, ...], ...]] = []
    for backbone in shown:
        for panel, members in panels.items():
            rows = _rows(layers, draws, references, backbone, list(members), selected)
            over = text_cell(panel, average_name(panel))
            groups.append(tuple((row[0], over, *row[1:]) if averages else row for row in rows))
    columns = [
        Column("backbone", "Backbone", numeric=False),
        *([Column("panel", "Over", numeric=False)] if averages else []),
        Column("heads", "Heads", numeric=False),
        Column("value", metric),
        Column("deviation", "SD"),
        Column("lowest", "Lowest"),
        Column("highest", "Highest"),
        Column("layer", "Layer"),
        Column("rank", "Rank"),
    ]
    plural = "s" if len(common) > 1 else ""
    caption = (
        f"Controls of head choice: {metric}, mean over {len(common)} benchmark{plural}."
        f"{averages_legend(averages)} Random heads: as "
        f"many as HeadRank's; mean, standard deviation and range over draws. Best single layer: all heads of the "
        f"layer that is best on these very queries, so an upper bound. Rank: place among the random draws, 1 if "
        f"above all of them. Nothing is trained. Bold: best of each backbone."
    )
    return Table(tuple(columns), tuple(groups), caption, "tab:controls")


def _rows(
    layers: pd.DataFrame,
    draws: pd.DataFrame,
    references: pd.DataFrame,
    backbone: str,
    common: list[str],
    selected: str,
) -> tuple[tuple[Cell, ...], ...]:
    """One backbone's rows; means are over the benchmarks ``common``."""
    by_layer = control_means(layers, "layer", "layer controls", common)
    by_draw = control_means(draws, "draw", "random draws", common)
    by_reference = control_means(references, "method", "control references", common)
    random = own_values(by_draw, "draw", backbone, "random draws").to_numpy(dtype=float)
    layer = own_values(by_layer, "layer", backbone, "layer controls")
    chosen = own_values(by_reference, "method", backbone, "control references")
    if selected not in chosen.index:
        raise InputError(f"control references: no rows for {selected} of {backbone}; give its value")
    best = int(layer.to_numpy(dtype=float).argmax())
    name = text_cell(backbone, backbone_name(backbone))
    several = len(random) > 1
    nothing = number_cell(None, 0)
    head: list[Cell] = [
        name,
        text_cell(RANDOM, f"Random heads, {len(random)} draw{'s' if several else ''}"),
        number_cell(float(random.mean()), 3),
        number_cell(float(random.std(ddof=1)) if several else None, 3),
        number_cell(float(random.min()), 3),
        number_cell(float(random.max()), 3),
        nothing,
        nothing,
    ]
    rows = [head]
    values = [(BEST_LAYER, "Best single layer", float(layer.iloc[best]), count_cell(int(layer.index[best])))]
    values += [
        (method, method_name(method), float(chosen[method]), nothing) for method in by_method(chosen.index)
    ]
    for key, title, value, which in values:
        rank = 1 + int((random > value).sum())
        place = Cell(rank, f"{rank} of {len(random) + 1}")
        rows.append(
            [name, text_cell(key, title), number_cell(value, 3), nothing, nothing, nothing, which, place]
        )
    return tuple(map(tuple, bold_best(rows, 2)))


def common_benchmarks(draws: pd.DataFrame, benchmarks: Sequence[str] | None) -> list[str]:
    """The benchmarks that the means are taken over: those given, else all that have random draws."""
    require(draws, ["backbone", "benchmark", "draw", "value"], "random draws")
    return in_order(draws["benchmark"], benchmarks, "random draws")


def control_means(frame: pd.DataFrame, key: str, what: str, benchmarks: Sequence[str]) -> pd.DataFrame:
    """Unweighted mean over ``benchmarks``: columns backbone, ``key``, value, benchmarks (how many).

    Raises InputError when a backbone's ``key`` lacks a benchmark that another one has: means would not be comparable.
    """
    keys = ["backbone", "benchmark", key]
    require(frame, [*keys, "value"], what)
    shown = in_order(frame["benchmark"], list(benchmarks), what)
    rows = frame[frame["benchmark"].isin(shown)]
    require_unique(rows, keys, what)
    require_finite(rows, ["value"], what)
    means = rows.groupby(["backbone", key], sort=False)["value"].agg(value="mean", benchmarks="size")
    short = means[means["benchmarks"] < len(shown)]
    if not short.empty:
        backbone, which = short.index[0]
        raise InputError(
            f"{what}: {key} {which} of {backbone} has {short['benchmarks'].iloc[0]} of {len(shown)} benchmarks; "
            f"give all, or name the benchmarks to show"
        )
    return means.reset_index()


def own_values(means: pd.DataFrame, key: str, backbone: str, what: str) -> pd.Series:
    """The values of one backbone by ``key``, in order; raises InputError when there are none."""
    rows = means[means["backbone"] == backbone]
    if rows.empty:
        in_order(np.unique(means["backbone"]).tolist(), [backbone], what)
    return rows.set_index(key)["value"].sort_index()
