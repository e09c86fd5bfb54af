"""How often RouteHead routes queries to each head, per benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from headrank.figures.style import DOUBLE, language
from headrank.tables.names import backbone_name, benchmark_name
from headrank.tables.tidy import in_order, require, require_finite, require_unique

CAPTION = "How often RouteHead's router chose each head, per benchmark."
FRAMES = {"routes": "routes"}
OPTIONS = {"backbones": "backbones", "benchmarks": "panel"}
NEEDS = ("routes",)

_LABEL = 0.027  # room of a layer's number, as a share of the panel's width


def routes_figure(
    routes: pd.DataFrame, *, backbones: Sequence[str] | None = None, benchmarks: Sequence[str] | None = None
) -> Figure:
    """One panel per backbone: a row per benchmark, a column per head in order of layers; share of queries as colour.

    routes: columns backbone, benchmark, qid, layer, head, a row per query and head that it is routed to (2604.24608).
    Columns are the heads that any query of the benchmarks shown is routed to. The number beside a benchmark is its
    mean number of heads per query. Raises InputError for a head that is named twice for a query.
    """
    what = "routes"
    columns = ["backbone", "benchmark", "qid", "layer", "head"]
    require(routes, columns, what)
    require_finite(routes, ["layer", "head"], what)
    require_unique(routes, columns, what)
    shown = in_order(routes["backbone"], backbones, what)
    rows = routes[routes["backbone"].isin(shown)]
    listed = in_order(rows["benchmark"], benchmarks, what)
    rows = rows[rows["benchmark"].isin(listed)]

    with language():
        figure = Figure(
            figsize=(DOUBLE, 0.35 + len(shown) * (0.55 + 0.17 * len(listed))), layout="constrained"
        )
        grid = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        colors = matplotlib.colormaps["cividis"].with_extremes(bad="#BDBDBD")
        for backbone, axes in zip(shown, grid, strict=True):
            own = rows[rows["backbone"] == backbone]
            heads = sorted(set(zip(own["layer"].astype(int), own["head"].astype(int), strict=True)))
            place = {head: column for column, head in enumerate(heads)}
            share = np.full((len(listed), len(heads)), np.nan)
            labels = []
            for row, benchmark in enumerate(listed):
                here = own[own["benchmark"] == benchmark]
                if here.empty:
                    labels.append(benchmark_name(benchmark))
                    continue
                queries = here["qid"].nunique()
                share[row] = 0
                for head, count in here.groupby(["layer", "head"]).size().items():
                    share[row, place[head]] = count / queries  # type: ignore[index]
                labels.append(f"{benchmark_name(benchmark)} ({len(here) / queries:.1f})")
            mesh = axes.imshow(
                100 * np.ma.masked_invalid(share),
                cmap=colors,
                norm=Normalize(0, 100),
                aspect="auto",
                interpolation="none",
            )
            layers = np.array([layer for layer, _ in heads])
            edges = np.flatnonzero(np.diff(layers)) + 0.5
            for edge in edges:
                axes.axvline(edge, color="white", linewidth=0.8)
            middles = (np.concatenate([[-0.5], edges]) + np.concatenate([edges, [len(heads) - 0.5]])) / 2
            axes.spines[:].set_visible(False)
            axes.set_title(f"{backbone_name(backbone)}: {len(heads)} heads")
            names = _apart(middles, list(dict.fromkeys(layers.tolist())), len(heads))
            axes.set_xticks(middles, names)
            axes.set_yticks(range(len(listed)), labels)
            axes.tick_params(length=0)
        grid[0].set_title("in brackets: mean heads per query", loc="right", fontsize=7.5)
        grid[-1].set_xlabel("routed heads, by layer")
        bar = figure.colorbar(mesh, ax=list(grid), label="queries (%)", aspect=25, pad=0.015)
        bar.outline.set_visible(False)
    return figure


def _apart(middles: np.ndarray, layers: Sequence[int], width: int) -> list[str]:
    """The layers as labels, without those that would touch the label before them."""
    names, last = [], -np.inf
    for middle, layer in zip(middles, layers, strict=True):
        free = middle - last >= _LABEL * width
        names.append(str(layer) if free else "")
        last = middle if free else last
    return names
