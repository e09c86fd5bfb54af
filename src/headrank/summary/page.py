"""A page that is filled from top to bottom, with text that is measured before it is drawn."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# A4 in points, as everything on these pages.
WIDTH, HEIGHT = 595.0, 842.0
MARGIN = 48.0
ROOM = WIDTH - 2 * MARGIN


@dataclass
class Page:
    """One page; ``left`` is how much of its height is free, from ``top`` downwards."""

    figure: Figure = field(default_factory=lambda: Figure(figsize=(WIDTH / 72, HEIGHT / 72)))
    top: float = HEIGHT - MARGIN

    @property
    def left(self) -> float:
        """The height that is free above the lower margin."""
        return self.top - MARGIN

    def text(self, x: float, words: str, size: float, **looks: Any) -> None:
        """Write one line whose base is at the current height, from x points right of the page's edge."""
        # What texts of a study hold is no formula, whatever signs are in it.
        self.figure.text(x / WIDTH, self.top / HEIGHT, words, fontsize=size, parse_math=False, **looks)

    def rule(self, x0: float, x1: float, width: float = 0.5) -> None:
        """A line across at the current height."""
        y = self.top / HEIGHT
        self.figure.add_artist(Line2D([x0 / WIDTH, x1 / WIDTH], [y, y], color="black", linewidth=width))

    def down(self, height: float) -> None:
        """Go down the page."""
        self.top -= height

    def paragraph(self, words: str, size: float, **looks: Any) -> None:
        """Write a text in as many lines as it takes across the page."""
        for line in broken(words, ROOM, size):
            self.down(size * 1.35)
            self.text(MARGIN, line, size, **looks)


def broken(words: str, room: float, size: float) -> list[str]:
    """A text in lines of at most ``room`` points; a word that is longer is cut."""
    # An average letter is about half as wide as the text is high; what turns out wider is broken again.
    letters = max(8, int(room / (0.5 * size)))
    while letters > 8:
        lines = textwrap.wrap(words, letters) or [""]
        if max(width_of(line, size) for line in lines) <= room:
            return lines
        letters -= 2
    return textwrap.wrap(words, 8) or [""]


@lru_cache(maxsize=10_000)
def width_of(words: str, size: float, bold: bool = False) -> float:
    """How wide a text is, in points."""
    text = _RULER.text(0, 0, words, fontsize=size, parse_math=False, fontweight="bold" if bold else "normal")
    width = text.get_window_extent(_CANVAS.get_renderer()).width
    text.remove()
    return float(width)


# A figure of 72 dots to an inch: its pixels are points.
_RULER = Figure(figsize=(1, 1), dpi=72)
_CANVAS: Any = FigureCanvasAgg(_RULER)
