"""A table that was written is read back as it was, and its page sorts by the numbers and fetches nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrank.errors import InputError
from headrank.tables.read import read_table
from headrank.tables.sortable import to_html
from headrank.tables.table import Cell, Column, Table, count_cell, number_cell, p_cell, text_cell
from headrank.tables.write import to_csv, to_markdown, write_table

COLUMNS = (
    Column("backbone", "Backbone", numeric=False),
    Column("mean", "Mean | nDCG", marked=True),
    Column("n", "Queries"),
)
TABLE = Table(
    COLUMNS,
    (
        ((text_cell("a_b", "A *b* | c"), Cell(0.123456789, "0.123", True, "†"), count_cell(12345)),),
        (
            (text_cell("x", "<x>"), number_cell(None, 3), count_cell(1)),
            (text_cell("x", "<x>"), p_cell(0.0001), count_cell(2)),
        ),
    ),
    "Means with \\ and `ticks`; † is better.",
    "tab:main",
)


def written(table: Table, folder: Path) -> tuple[Path, Path]:
    csv, md = folder / "main.csv", folder / "main.md"
    write_table(table, csv=csv, tex=folder / "main.tex", md=md)
    return csv, md


def test_what_is_shown_and_every_digit_are_read_back(tmp_path: Path) -> None:
    table = read_table(*written(TABLE, tmp_path))
    assert table.caption == TABLE.caption
    assert [(c.key, c.title, c.numeric, c.marked) for c in table.columns] == [
        (c.key, c.title, c.numeric, c.marked) for c in COLUMNS
    ]
    shown = [[(cell.text, cell.bold, cell.mark) for cell in row] for row in table.rows]
    assert shown == [[(cell.text, cell.bold, cell.mark) for cell in row] for row in TABLE.rows]
    assert [row[1].value for row in table.rows] == [0.123456789, None, 0.0001]
    assert list(map(len, table.groups)) == [1, 2]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1), min_size=1))
def test_any_word_is_read_back(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = tuple((text_cell("k", word), Cell(1.0, "1", True, "‡"), count_cell(1)) for word in words)
    table = Table(COLUMNS, (rows,), "C", "tab:x")
    (folder / "x.csv").write_text(to_csv(table), encoding="utf-8")
    (folder / "x.md").write_text(to_markdown(table), encoding="utf-8")
    read = read_table(folder / "x.csv", folder / "x.md")
    assert [row[0].text for row in read.rows] == words


def test_files_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    csv, md = written(TABLE, tmp_path)
    csv.write_text("\n".join(csv.read_text(encoding="utf-8").splitlines()[:-1]), encoding="utf-8")
    with pytest.raises(InputError, match=r"main\.csv: not the table of main\.md"):
        read_table(csv, md)
    md.write_text("something else", encoding="utf-8")
    with pytest.raises(InputError, match=r"main\.md: no table of a study"):
        read_table(csv, md)


class Page(HTMLParser):
    """Tags with their attributes, and the values that rows sort by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "td":
            self.values.append(told["data-value"] or "")
        self.fetched += [value for name, value in attrs if name in ("src", "href") and value]


def test_a_page_sorts_by_all_digits_and_fetches_nothing(tmp_path: Path) -> None:
    text = to_html(read_table(*written(TABLE, tmp_path)))
    page = Page(text)
    assert page.values == ["A *b* | c", "0.123456789", "12345.0", "<x>", "", "1.0", "<x>", "0.0001", "2.0"]
    assert not page.fetched
    assert not re.search(r"https?:|@import|url\(", text)
    assert "<x>" not in text
    assert "<b>0.123</b><sup>†</sup>" in text
