"""The pages of a summary and their order: what the study is, its main tables, its figures, where it comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.image import imread

from headrank.data.atomic import whole_file
from headrank.errors import InputError
from headrank.figures.style import language
from headrank.summary.origin import origin_lines, time_lines
from headrank.summary.page import HEIGHT, MARGIN, ROOM, WIDTH, Page, broken
from headrank.summary.tables import draw_table
from headrank.tables.table import Table

# Those that answer what a reader asks first, in this order; all others are in the report.
TABLES = ("main", "claims", "ablation", "selectivity", "cost")
FIGURES = (
    "homogenisation",
    "selectivity",
    "head_maps",
    "depth",
    "controls",
    "training",
    "frontier",
    "success",
)
# A figure is drawn at most at the size it was made for (dots to an inch of its image), and leaves room for another.
_DOTS = 200
_HIGHEST = 330.0


def write_summary(
    path: str | os.PathLike[str],
    title: str,
    about: str,
    tables: Mapping[str, Table],
    figures: Mapping[str, tuple[str | os.PathLike[str], str]],
    provenance: Mapping[str, Any],
) -> None:
    """Write the PDF, whole or not at all.

    about: a sentence on the study. tables: name -> table; figures: name -> (PNG file, caption); of both those in
    ``TABLES`` and ``FIGURES`` are shown. provenance: the study's record. Raises InputError for a figure's file that is
    no image. Equal arguments give equal bytes.
    """
    with (
        language(),
        whole_file(path) as temporary,
        PdfPages(temporary, metadata={"CreationDate": None}) as pdf,
    ):
        book = _Book(pdf, title)
        page = book.next()
        page.down(10)
        page.text(MARGIN, title, 18, fontweight="bold")
        page.down(8)
        page.paragraph(about, 9)
        page.down(12)
        for name in TABLES:
            if name in tables:
                if page.left < HEIGHT / 4:
                    page = book.next()
                page = draw_table(page, tables[name], book.next)
        page = book.next()
        for name in FIGURES:
            if name in figures:
                page = _draw_figure(page, *figures[name], book)
        page = _draw_lines(page, "Where it comes from", list(origin_lines(provenance)), book)
        _draw_lines(page, "What took longest", list(time_lines(provenance)), book)
        book.end()


class _Book:
    """The pages in turn, each with its number; a page is written when the next one begins."""

    def __init__(self, pdf: Any, title: str) -> None:
        self.pdf = pdf
        self.title = title
        self.number = 0
        self.page: Page | None = None

    def next(self) -> Page:
        self.end()
        self.number += 1
        self.page = Page()
        self.page.top = MARGIN / 2
        self.page.text(MARGIN, self.title, 7)
        self.page.text(WIDTH - MARGIN, str(self.number), 7, ha="right")
        self.page.top = HEIGHT - MARGIN
        return self.page

    def end(self) -> None:
        if self.page is not None:
            self.pdf.savefig(self.page.figure)
            self.page = None


def _draw_figure(page: Page, path: str | os.PathLike[str], caption: str, book: _Book) -> Page:
    try:
        image = imread(Path(path))
    except (ValueError, SyntaxError) as error:
        raise InputError(f"{path}: no readable image ({error}); run the study again") from None
    rows, columns = image.shape[:2]
    width = min(ROOM, columns * 72 / _DOTS, _HIGHEST * columns / rows)
    height = width * rows / columns
    lines = len(broken(caption, ROOM, 9)) * 9 * 1.35
    if page.left < height + lines + 24:
        page = book.next()
    page.paragraph(caption, 9)
    page.down(height + 8)
    axes = page.figure.add_axes((MARGIN / WIDTH, page.top / HEIGHT, width / WIDTH, height / HEIGHT))
    axes.imshow(image, aspect="auto", interpolation="none")
    axes.set_axis_off()
    page.down(18)
    return page


def _draw_lines(page: Page, heading: str, lines: Sequence[tuple[str, str]], book: _Book) -> Page:
    """Two columns under a heading, the second one in as many lines as it takes."""
    first = 130.0
    if page.left < 80:
        page = book.next()
    page.down(16)
    page.text(MARGIN, heading, 11, fontweight="bold")
    page.down(4)
    for what, how in lines:
        parts = broken(how, ROOM - first, 8)
        if page.left < len(parts) * 11 + 11:
            page = book.next()
        for number, part in enumerate(parts):
            page.down(11)
            if number == 0:
                page.text(MARGIN, what, 8)
            page.text(MARGIN + first, part, 8)
    page.down(10)
    return page
