"""A table on as many pages as it takes: in the largest size at which its columns fit side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from headrank.summary.page import MARGIN, ROOM, Page, width_of
from headrank.tables.table import Cell, Table

_SIZES = (8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0)
# Points between two columns, as a share of the size of the text.
_GAP = 1.1
# Letters of a line in a column of texts, the most first, and of a title.
_LETTERS = (60, 44, 32, 24)
_TITLE = 14
_CAPTION = 9.0


def draw_table(page: Page, table: Table, next_page: Callable[[], Page]) -> Page:
    """Draw a table below what is on a page, its title line again on each further page; returns the last page."""
    titles = [textwrap.wrap(column.title, _TITLE) or [""] for column in table.columns]
    size, widths, rows = _fitting(table, titles)
    line, gap = size * 1.35, size * _GAP
    lefts = [MARGIN + sum(widths[:place]) + gap * place for place in range(len(widths))]
    end = lefts[-1] + widths[-1]

    def head(page: Page) -> None:
        page.rule(MARGIN, end, 0.8)
        top, height = page.top, max(map(len, titles))
        for place, lines in enumerate(titles):
            page.top = top - line * (height - len(lines))
            for words in lines:
                page.down(line)
                _write(page, words, size, table.columns[place].numeric, lefts[place], widths[place])
        page.top = top - line * height - line * 0.4
        page.rule(MARGIN, end)

    page.paragraph(table.caption, _CAPTION)
    page.down(6)
    head(page)
    above = ""
    for cells, lines in zip(table.rows, rows, strict=True):
        height = line * max(map(len, lines))
        if page.left < height + line:
            page.rule(MARGIN, end, 0.8)
            page = next_page()
            head(page)
        elif above and cells[0].text != above:
            page.down(line * 0.3)
            page.rule(MARGIN, end, 0.3)
        shown = "" if cells[0].text == above and table.columns[0].key == "backbone" else cells[0].text
        top = page.top
        for place, (cell, words) in enumerate(zip(cells, lines, strict=True)):
            page.top = top
            for number, part in enumerate(words):
                page.down(line)
                if place == 0 and not shown:
                    continue
                mark = cell.mark if number == len(words) - 1 else ""
                _write(
                    page,
                    part,
                    size,
                    table.columns[place].numeric,
                    lefts[place],
                    widths[place],
                    cell.bold,
                    mark,
                )
        page.top = top - height
        above = cells[0].text
    page.down(line * 0.4)
    page.rule(MARGIN, end, 0.8)
    page.down(14)
    return page


def _fitting(table: Table, titles: list[list[str]]) -> tuple[float, list[float], list[list[list[str]]]]:
    """The largest size at which the columns fit, with texts broken if need be: size, widths in points, lines of cells.

    Where nothing fits, the smallest size with the shortest lines.
    """
    for size in _SIZES:
        for letters in _LETTERS:
            rows = [_broken(table, row, letters) for row in table.rows]
            widths = [_widest(table, titles, rows, place, size) for place in range(len(table.columns))]
            if sum(widths) + size * _GAP * (len(widths) - 1) <= ROOM:
                return size, widths, rows
    return size, widths, rows


def _broken(table: Table, row: tuple[Cell, ...], letters: int) -> list[list[str]]:
    return [
        [cell.text] if column.numeric else textwrap.wrap(cell.text, letters) or [""]
        for cell, column in zip(row, table.columns, strict=True)
    ]


def _widest(
    table: Table, titles: list[list[str]], rows: list[list[list[str]]], place: int, size: float
) -> float:
    texts = {(words, False) for words in titles[place]}
    for row, lines in zip(table.rows, rows, strict=True):
        texts |= {(words + row[place].mark, row[place].bold) for words in lines[place]}
    # Letters differ in width, but not so much that a text far shorter than others would be the widest.
    longest = sorted(texts, key=lambda text: (len(text[0]), text))[-3:]
    return max(width_of(words, size, bold) for words, bold in longest)


def _write(
    page: Page,
    words: str,
    size: float,
    numeric: bool,
    left: float,
    width: float,
    bold: bool = False,
    mark: str = "",
) -> None:
    looks = {"fontweight": "bold" if bold else "normal"}
    if not numeric:
        page.text(left, words + mark, size, **looks)
        return
    # Digits stay below one another whether or not a mark follows.
    page.text(left + width - width_of("†", size * 0.8), words, size, ha="right", **looks)
    if mark:
        page.down(-size * 0.3)
        page.text(left + width - width_of("†", size * 0.8), mark, size * 0.8)
        page.down(size * 0.3)
