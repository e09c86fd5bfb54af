"""The summary of a study: a PDF with its tables, figures and origin, the same for equal arguments."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from headrank.errors import InputError
from headrank.summary.origin import origin_lines, time_lines
from headrank.summary.page import ROOM, broken, width_of
from headrank.summary.tables import _fitting
from headrank.summary.write import write_summary
from headrank.tables.table import Cell, Column, Table, number_cell, text_cell

PROVENANCE: dict[str, Any] = {
    "code": {"commit": "c0ffee" * 6 + "abcd", "dirty": True, "library": {"version": "0.1.0"}},
    "software": {"python": "3.11.7", "packages": {"torch": "2.13.0", "other": "1"}},
    "configuration": {"sha256": "d" * 64},
    "models": {"small": {"source": "gguf", "file": "SMALL.gguf", "sha256": "e" * 64}},
    "collections": {"dl19": {"source": "local", "path": "dl19", "roles": ["benchmark"]}},
    "machine": {"cpu": {"model": "A processor", "cores": 2}, "gpus": []},
    "written": "2026-11-29T12:00:00+00:00",
    "time": {
        "rules": {f"rule{n}": {"jobs": n, "seconds": 10.0 * n} for n in range(1, 11)},
        "job_seconds": 550.0,
    },
}


def table(rows: int, columns: int = 3, words: str = "A text of some length in a cell") -> Table:
    heads = (Column("backbone", "Backbone", numeric=False), Column("evidence", "Evidence", numeric=False))
    numbers = tuple(Column(f"n{n}", f"Number {n}", marked=True) for n in range(columns))
    made = tuple(
        (text_cell("small"), text_cell("x", words), *(Cell(n + 0.5, f"{n}.500", n == 1, "†") for n in range(columns)))
        for _ in range(rows)
    )  # fmt: skip
    return Table((*heads, *numbers), (made,), "A caption with $ and _ in it.", "tab:main")


def summary(folder: Path, tables: dict[str, Table], name: str = "summary.pdf") -> bytes:
    png = folder / "depth.png"
    Figure(figsize=(2, 1)).savefig(png)
    path = folder / name
    write_summary(path, "The title", "What it is about.", tables, {"depth": (png, "By depth.")}, PROVENANCE)
    return path.read_bytes()


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def test_equal_studies_give_equal_bytes(tmp_path: Path) -> None:
    first = summary(tmp_path, {"main": table(3)})
    assert first.startswith(b"%PDF")
    assert first == summary(tmp_path, {"main": table(3)}, "again.pdf")
    assert first != summary(tmp_path, {"main": table(4)}, "other.pdf")


def test_a_long_table_goes_on_on_the_next_page_and_loses_no_row(tmp_path: Path) -> None:
    short, long = summary(tmp_path, {"main": table(3)}), summary(tmp_path, {"main": table(150)}, "long.pdf")
    assert pages(short) == 2
    assert pages(long) >= 4
    drawn = 0
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", long, re.DOTALL):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue
        # Each cell of the last column is one text; 42 is the type of its font, so letters are two bytes.
        drawn += content.count(b"BT")
    # Rows of 2 texts, 3 numbers and 3 marks, the first column's name once.
    assert drawn >= 150 * 7


def test_tables_that_are_not_shown_are_left_out(tmp_path: Path) -> None:
    with_more = summary(tmp_path, {"main": table(3), "timing": table(60)})
    assert with_more == summary(tmp_path, {"main": table(3)}, "again.pdf")


@pytest.mark.parametrize(("columns", "words"), [(2, "short"), (6, "a longer text " * 6), (9, "word " * 40)])
def test_columns_fit_side_by_side_in_a_size_that_can_be_read(columns: int, words: str) -> None:
    made = table(2, columns, words.strip())
    size, widths, lines = _fitting(made, [[column.title] for column in made.columns])
    assert size >= 5
    assert sum(widths) <= ROOM
    assert " ".join(lines[0][1]) == words.strip()


def test_a_text_is_broken_into_lines_that_fit() -> None:
    words = "WWWW iiii " * 40
    lines = broken(words, 200, 9)
    assert max(width_of(line, 9) for line in lines) <= 200
    assert " ".join(lines).split() == words.split()
    assert broken("", 200, 9) == [""]


def test_the_origin_names_code_models_and_machine_shortly() -> None:
    told = dict(origin_lines(PROVENANCE))
    assert told["Code"] == "headrank 0.1.0, commit c0ffeec0ffeec0ff, with changes"
    assert told["Software"] == "Python 3.11.7, torch 2.13.0"
    assert told["Model small"] == "SMALL.gguf, SHA-256 eeeeeeeeeeeeeeee"
    assert told["Machine"] == "A processor, 2 cores, no GPU"


def test_the_longest_rules_come_first_and_the_sum_last() -> None:
    lines = list(time_lines(PROVENANCE))
    assert lines[0] == ("rule10", "10 jobs, 100 s")
    assert len(lines) == 9
    assert lines[-1] == ("all", "550 s; jobs that ran in parallel are added up, 2 rules more")


def test_a_figure_that_is_none_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"x\.png: no readable image"):
        write_summary(tmp_path / "s.pdf", "T", "A", {}, {"depth": (tmp_path / "x.png", "C")}, PROVENANCE)
    assert not (tmp_path / "s.pdf").exists()


def test_missing_numbers_are_dashes_at_their_place(tmp_path: Path) -> None:
    columns = (Column("backbone", "Backbone", numeric=False), Column("n", "N"))
    rows = ((text_cell("a"), number_cell(None, 3)),)
    assert pages(summary(tmp_path, {"main": Table(columns, (rows,), "C", "tab:main")})) == 2
