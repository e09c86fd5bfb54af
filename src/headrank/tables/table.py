"""A table is rows of cells; a cell holds the number and the way it is printed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from headrank.errors import InputError

MISSING = "–"
BETTER, WORSE = "†", "‡"


@dataclass(frozen=True)
class Cell:
    """``value`` with all its digits for CSV, ``text`` as printed, in bold or not, and a superscript."""

    value: float | int | str | None
    text: str
    bold: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """``key`` heads the CSV column, ``title`` the printed one; ``marked`` columns can hold superscripts.

    ``wrap``: LaTeX breaks texts of this column that are longer than this many characters; 0: it breaks none.
    """

    key: str
    title: str
    numeric: bool = True
    marked: bool = False
    wrap: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of cells in groups. Print separates groups by a rule and names the first column once per backbone.

    Between two groups of the same backbone (kinds of methods) there is a space in place of a rule.
    """

    columns: tuple[Column, ...]
    groups: tuple[tuple[tuple[Cell, ...], ...], ...]
    caption: str
    label: str

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError(f"{self.label}: a row of {len(row)} cells under {len(self.columns)} columns")

    @property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """All rows, from top to bottom."""
        return tuple(row for group in self.groups for row in group)

    def formatted(self) -> pd.DataFrame:
        """The cells as printed, superscripts appended, one string each; columns are the CSV keys."""
        cells = [[cell.text + cell.mark for cell in row] for row in self.rows]
        return pd.DataFrame(cells, columns=[column.key for column in self.columns])


def text_cell(value: str, text: str | None = None) -> Cell:
    """A word: an identifier in CSV, its readable name in print."""
    return Cell(value, value if text is None else text)


def number_cell(value: float | None, digits: int, *, signed: bool = False, scale: float = 1.0) -> Cell:
    """A number printed with ``digits`` decimals after multiplication by ``scale`` (100: a share as percent).

    None and NaN print as a dash and leave the CSV field empty. A value that rounds to zero has no sign.
    """
    if value is None or math.isnan(value):
        return Cell(None, MISSING)
    text = f"{abs(value) * scale:.{digits}f}"
    zero = float(text) == 0
    sign = "" if zero else "−" if value < 0 else "+" if signed else ""
    return Cell(float(value), sign + text)


def count_cell(value: int) -> Cell:
    """A count, with a thin space between thousands."""
    return Cell(int(value), f"{int(value):,}".replace(",", "\u2009"))


def p_cell(value: float | None) -> Cell:
    """A p-value with three decimals; one below 0.001 is an inequality, never zero."""
    if value is None or math.isnan(value):
        return Cell(None, MISSING)
    return Cell(float(value), "<0.001" if value < 0.001 else f"{value:.3f}")


def bold_best(rows: Sequence[Sequence[Cell]], column: int, *, highest: bool = True) -> list[list[Cell]]:
    """Set the best value of a column in bold, and with it every value that prints the same.

    A column whose numbers all print the same has no best one.
    """
    result = [list(row) for row in rows]
    numbers = [row[column] for row in rows if isinstance(row[column].value, (int, float))]
    if len({number.text for number in numbers}) < 2:
        return result
    ranked = sorted(numbers, key=_value, reverse=highest)
    for row in result:
        if row[column].text == ranked[0].text:
            row[column] = dataclasses.replace(row[column], bold=True)
    return result


def _value(cell: Cell) -> float:
    return float(cell.value) if cell.value is not None else math.nan
