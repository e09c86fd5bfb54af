"""nDCG@10 against the number of training queries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from headrank.errors import InputError
from headrank.figures.style import BLACK, BLUE, DASHED, DOTTED, GREY, language, legend_above, panels
from headrank.tables.names import FIRST_STAGE, UNTRAINED, backbone_name, method_name
from headrank.tables.tidy import in_order, records, require, require_finite, require_unique

CAPTION = "nDCG against the number of training queries."
FRAMES = {"curves": "query-curve", "references": "query-references"}
OPTIONS = {"metric": "metric", "first_stage": "first_stage"}
NEEDS = ("queries",)

_REFERENCES = {UNTRAINED: (BLACK, DASHED), FIRST_STAGE: (GREY, DOTTED)}


def queries_figure(
    curves: pd.DataFrame,
    references: pd.DataFrame | None = None,
    *,
    metric: str = "nDCG@10",
    backbones: Sequence[str] | None = None,
    first_stage: str | None = None,
) -> Figure:
    """One panel per backbone, the number of training queries on a binary logarithmic axis.

    curves: columns backbone, queries (from 1), value, low, high (confidence limits, may be NaN). references:
    columns backbone, method, value; method ``headrank-untrained`` per backbone, ``bm25`` with backbone "" for all.
    first_stage: what that one is called.
    """
    what = "query curves"
    require(curves, ["backbone", "queries", "value", "low", "high"], what)
    require_unique(curves, ["backbone", "queries"], what)
    require_finite(curves, ["queries", "value"], what)
    if (curves["queries"] < 1).any():
        raise InputError(f"{what}: fewer than one query; give the untrained method as a reference instead")
    shown = in_order(curves["backbone"], backbones, what)
    levels = (
        {} if references is None else records(references, ["backbone", "method"], ["value"], "references")
    )

    with language():
        figure, grid = panels(len(shown), 2.3)
        for number, (backbone, (axes,)) in enumerate(zip(shown, grid, strict=True)):
            line = curves[curves["backbone"] == backbone].sort_values("queries")
            queries, value, low, high = (
                line[column].to_numpy(dtype=float) for column in ("queries", "value", "low", "high")
            )
            reach = np.nan_to_num(np.stack([value - low, high - value])).clip(min=0)
            axes.errorbar(
                queries, value, yerr=reach, color=BLUE, marker="o", capsize=2, elinewidth=0.8, zorder=3
            )
            for method, (color, style) in _REFERENCES.items():
                level = levels.get((backbone, method)) or levels.get(("", method))
                if level is not None and not math.isnan(level["value"]):
                    axes.axhline(level["value"], color=color, linestyle=style, linewidth=1, zorder=2)
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_locator(FixedLocator(queries.tolist()))
            axes.xaxis.set_major_formatter(FixedFormatter([f"{count:.0f}" for count in queries]))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xlim(queries.min() / 1.3, queries.max() * 1.3)
            axes.set_title(backbone_name(backbone))
            axes.set_xlabel("training queries")
            axes.margins(y=0.1)
            if number == 0:
                axes.set_ylabel(metric)
        handles: list[object] = [Line2D([], [], color=BLUE, marker="o", label="HeadRank")]
        handles += [
            Line2D([], [], color=color, linestyle=style, linewidth=1, label=method_name(method, first_stage))
            for method, (color, style) in _REFERENCES.items()
            if method in {key[1] for key in levels}
        ]
        legend_above(figure, handles, 3 if len(shown) > 1 else 2)
    return figure
