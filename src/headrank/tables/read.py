"""Reads back a table that ``headrank.tables.write`` wrote: the texts from its Markdown, the numbers from its CSV."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

from headrank.data.files import MIB, read_whole
from headrank.errors import InputError
from headrank.tables.table import Cell, Column, Table

_MOST = 16 * MIB
_ESCAPED = re.compile(r"\\([\\`*_\[\]<>|#~])")
_CELL = re.compile(r"(?P<bold>\*\*)?(?P<text>.*?)(?(bold)\*\*)(?:<sup>(?P<mark>[^<]*)</sup>)?")
_ADVICE = "run the study again, which makes it anew"


def read_table(csv_file: str | os.PathLike[str], md_file: str | os.PathLike[str]) -> Table:
    """The table of a CSV and a Markdown file of the same name; InputError when they do not belong together.

    Groups of rows are those of the first column, since neither file says more.
    """
    lines = _text(md_file).splitlines()
    if len(lines) < 4 or lines[1] or not set(lines[3]) <= set("|:-"):
        raise InputError(f"{md_file}: no table of a study; {_ADVICE}")
    titles = _cells(lines[2])
    numeric = [not part.startswith(":") for part in lines[3].strip("|").split("|")]
    written = [[_cell(text) for text in _cells(line)] for line in lines[4:]]
    rows = list(csv.reader(io.StringIO(_text(csv_file))))
    header = rows[0] if rows else []
    # A column of superscripts follows the column that they stand in.
    keys = [
        key
        for before, key in zip(["", *header[:-1]], header, strict=True)
        if not before or key != f"{before}_mark"
    ]
    fits = len(keys) == len(titles) == len(numeric) and len(rows) == len(written) + 1
    if not fits or any(len(row) != len(keys) for row in written):
        raise InputError(f"{csv_file}: not the table of {Path(md_file).name}; {_ADVICE}")
    columns = tuple(
        Column(key, _plain(title), is_number, f"{key}_mark" in header)
        for key, title, is_number in zip(keys, titles, numeric, strict=True)
    )
    places = [header.index(key) for key in keys]
    groups: list[list[tuple[Cell, ...]]] = []
    for values, cells in zip(rows[1:], written, strict=True):
        if len(values) != len(header):
            raise InputError(f"{csv_file}: a row of {len(values)} values under {len(header)}; {_ADVICE}")
        row = tuple(
            Cell(_value(values[place], column.numeric), cell.text, cell.bold, cell.mark)
            for place, column, cell in zip(places, columns, cells, strict=True)
        )
        if not groups or groups[-1][0][0].text != row[0].text:
            groups.append([])
        groups[-1].append(row)
    return Table(columns, tuple(map(tuple, groups)), _plain(lines[0]), f"tab:{Path(md_file).stem}")


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return read_whole(path, _MOST).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; {_ADVICE}") from None


def _cells(line: str) -> list[str]:
    # A cell's own strokes are escaped, so none of them stands between two blanks.
    return line.removeprefix("| ").removesuffix(" |").split(" | ")


def _cell(text: str) -> Cell:
    match = _CELL.fullmatch(text)
    if match is None:
        return Cell(None, _plain(text))
    return Cell(None, _plain(match["text"]), match["bold"] is not None, match["mark"] or "")


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _value(text: str, numeric: bool) -> float | str | None:
    if not numeric:
        return text
    try:
        return float(text)
    except ValueError:
        return text or None
