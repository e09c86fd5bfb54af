"""Promotion of relevant and irrelevant middle-zone documents, before and after training."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from headrank.errors import InputError
from headrank.figures.style import (
    BLACK,
    DOUBLE,
    IRRELEVANT,
    RELEVANT,
    SINGLE,
    language,
    legend_above,
)
from headrank.tables.names import TRAINED, UNTRAINED, backbone_name
from headrank.tables.tidy import in_order, records, require_shares

CAPTION = "Promotion of relevant and irrelevant middle-zone documents to the top quartile, per backbone."
FRAMES = {"selectivity": "selectivity-main"}
OPTIONS = {"backbones": "backbones"}
NEEDS = ("training",)

_COLORS = {"relevant": RELEVANT, "irrelevant": IRRELEVANT}
_HATCH = {"relevant": "////", "irrelevant": "...."}
_BAR = 0.19
# About how many characters of tick labels fit side by side below the bars of one and of two columns.
_ROOM = {SINGLE: 36, DOUBLE: 92}


def selectivity_figure(
    selectivity: pd.DataFrame,
    *,
    before: str = UNTRAINED,
    after: str = TRAINED,
    chance: float = 0.25,
    backbones: Sequence[str] | None = None,
) -> Figure:
    """Four bars per backbone with confidence limits; the gap before and after is written under its name.

    selectivity: columns backbone, method, group (``relevant``, ``irrelevant``), promoted, low, high (shares, 0
    to 1; NaN where there are no documents), n. A bar that is absent is left out.
    """
    what = "selectivity"
    values = ["promoted", "low", "high", "n"]
    shares = records(selectivity, ["backbone", "method", "group"], values, what)
    require_shares(selectivity, ["promoted", "low", "high"], what)
    drawn = {
        key: share
        for key, share in shares.items()
        if key[1] in (before, after) and key[2] in _COLORS and not math.isnan(share["promoted"])
    }
    if not drawn:
        raise InputError(f"{what}: no relevant or irrelevant documents of {before} or {after}")
    shown = in_order((key[0] for key in drawn), backbones, what)

    with language():
        longest = max(len(backbone_name(name)) for name in shown)
        fits = len(shown) <= 2 or (len(shown) == 3 and 3 * (longest + 1) <= _ROOM[SINGLE])
        width = SINGLE if fits else DOUBLE
        figure = Figure(figsize=(width, 2.5), layout="constrained")
        axes = figure.subplots()
        top = chance
        for (backbone, method, group), share in drawn.items():
            if backbone not in shown:
                continue
            pair = -1 if group == "relevant" else 1
            place = shown.index(backbone) + pair * (_BAR + 0.03) + _BAR * (method == after) - _BAR / 2
            height = 100 * share["promoted"]
            axes.bar(
                place,
                height,
                width=_BAR,
                facecolor=_COLORS[group] if method == after else "white",
                edgecolor=_COLORS[group],
                hatch=None if method == after else _HATCH[group],
                linewidth=0.8,
                zorder=2,
            )
            reach = [
                max(0.0, height - 100 * share["low"]) if not math.isnan(share["low"]) else 0.0,
                max(0.0, 100 * share["high"] - height) if not math.isnan(share["high"]) else 0.0,
            ]
            # Without limits, caps would look like those of a certain value.
            if any(reach):
                axes.errorbar(
                    place,
                    height,
                    yerr=[[reach[0]], [reach[1]]],
                    color=BLACK,
                    linewidth=0.8,
                    capsize=1.8,
                    zorder=3,
                )
            top = max(top, share["promoted"] + reach[1] / 100)
        axes.annotate(
            "chance",
            xy=(1.01, 100 * chance),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            annotation_clip=False,
        )
        axes.axhline(100 * chance, color=BLACK, linewidth=0.8, linestyle=(0, (3, 2)), zorder=4)
        room = _ROOM[width] // len(shown) - 1
        axes.set_xticks(range(len(shown)), [_tick(name, drawn, before, after, room) for name in shown])
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("gap in points, before → after training")
        side = 0.85 if len(shown) == 1 else 0.5
        axes.set_xlim(-side, len(shown) - 1 + side)
        axes.set_ylim(0, min(100, 108 * top + 1))
        axes.set_ylabel("in the top quartile (%)")
        stages = {before: "before", after: "after training"}
        handles: list[object] = [
            Patch(
                facecolor=_COLORS[group] if method == after else "white",
                edgecolor=_COLORS[group],
                hatch=None if method == after else 2 * _HATCH[group],
                label=f"{group}, {stages[method]}",
            )
            for group in _COLORS
            for method in (before, after)
        ]
        legend_above(figure, handles, 2 if width == SINGLE else 4)
    return figure


def _tick(
    backbone: str, shares: dict[tuple[str, ...], dict[str, float]], before: str, after: str, room: int
) -> str:
    """The backbone's name, in lines of at most ``room`` characters, and its gaps."""
    title = textwrap.fill(backbone_name(backbone), max(room, 1), break_long_words=False)
    gaps = []
    for method in (before, after):
        both = [shares.get((backbone, method, group)) for group in _COLORS]
        if both[0] is None or both[1] is None:
            return title
        gap = 100 * (both[0]["promoted"] - both[1]["promoted"])
        gaps.append(f"{gap:+.0f}".replace("-", "−"))
    return f"{title}\n{gaps[0]} → {gaps[1]}"
