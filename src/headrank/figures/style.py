"""The common style of all figures: sizes, fonts, colours, markers; and how a figure is written.

Colours are Okabe and Ito's, which colour-blind readers can tell apart. Series that share axes also differ in marker,
line or hatch, so that a photocopy is just as readable.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

from headrank.data.atomic import whole_file

SINGLE, DOUBLE = 3.3, 6.9  # inches: one and both columns of a two-column page

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#6E6E6E", "#EDEDED"

RELEVANT, IRRELEVANT = BLUE, ORANGE


@dataclass(frozen=True)
class Look:
    """Colour, marker and line of one series."""

    color: str
    marker: str
    line: LineStyleType


# For series without a fixed colour (backbones), in the order shown.
SERIES = (
    Look(BLUE, "o", "-"),
    Look(VERMILION, "s", (0, (5, 1.5))),
    Look(GREEN, "^", (0, (5, 1.5, 1, 1.5))),
    Look(PURPLE, "D", (0, (1, 1))),
    Look(BLACK, "v", (0, (8, 2))),
    Look(SKY, "P", (0, (3, 1, 1, 1, 1, 1))),
)

DASHED: LineStyleType = (0, (5, 1.5))
DOTTED: LineStyleType = (0, (1, 1.5))

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "legend.columnspacing": 1.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.6,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "headrank",
    "axes.unicode_minus": True,
    "text.usetex": False,
    "path.simplify": True,
}


@contextmanager
def language() -> Iterator[None]:
    """The settings with which every figure is drawn and written, whatever the user's own are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def panels(
    number: int, height: float, *, rows: int = 1, share_y: bool = True, per_row: int = 4
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with ``number`` panels side by side; one panel takes a single column, more take both.

    height: inches of one row of panels. rows: quantities stacked in each panel (they share the x axis). More
    than ``per_row`` panels continue on the next line. Returns the axes as [panel][row].
    """
    across = min(number, per_row)
    lines = -(-number // across)
    figure = Figure(figsize=(SINGLE if number == 1 else DOUBLE, height * rows * lines), layout="constrained")
    grid = figure.subplots(rows * lines, across, squeeze=False, sharey="row" if share_y else False)
    result = []
    for panel in range(lines * across):
        line, column = divmod(panel, across)
        axes = [grid[line * rows + row, column] for row in range(rows)]
        if panel < number:
            result.append(axes)
        else:
            for unused in axes:
                unused.remove()
    return figure, result


def legend_above(figure: Figure, handles: Sequence[object], columns: int) -> None:
    """One legend for the whole figure, above the panels so that it never covers data."""
    figure.legend(
        handles=list(handles),
        loc="outside upper center",
        ncols=columns,
        borderaxespad=0.2,
        handletextpad=0.5,
    )


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Move ``positions`` apart, as little as the order allows, until neighbours are at least ``gap`` away."""
    order = np.argsort(np.asarray(positions), kind="stable")
    blocks: list[tuple[list[int], float]] = []  # members and centre of labels that touch
    for index in order.tolist():
        blocks.append(([index], float(positions[index])))
        while len(blocks) > 1:
            (low, below), (high, above) = blocks[-2:]
            if above - below >= gap * (len(low) + len(high)) / 2:
                break
            members = low + high
            blocks[-2:] = [(members, (below * len(low) + above * len(high)) / len(members))]
    result = [0.0] * len(positions)
    for members, centre in blocks:
        for place, index in enumerate(members):
            result[index] = centre + gap * (place - (len(members) - 1) / 2)
    return result


def save_figure(figure: Figure, *, pdf: str | os.PathLike[str], png: str | os.PathLike[str]) -> None:
    """Write both files, each whole or not at all; equal figures give equal bytes (no dates)."""
    # In memory first: where a disk is full, the writer of PDF fails with an error that does not say so.
    drawn: dict[str | os.PathLike[str], BytesIO] = {pdf: BytesIO(), png: BytesIO()}
    with language():
        figure.savefig(drawn[pdf], format="pdf", metadata={"CreationDate": None, "ModDate": None})
        figure.savefig(drawn[png], format="png", metadata={"Software": None})
    for path, content in drawn.items():
        with whole_file(path) as temporary:
            temporary.write_bytes(content.getvalue())
