"""Cells, names, checks, and the three files a table is written to."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.methods.table import KINDS, METHODS, WRITING, kind_of
from headrank.tables.names import (
    backbone_name,
    benchmark_name,
    by_method,
    by_variant,
    method_name,
    variant_name,
)
from headrank.tables.table import (
    Cell,
    Column,
    Table,
    bold_best,
    count_cell,
    number_cell,
    p_cell,
    text_cell,
)
from headrank.tables.tidy import records, require, require_shares
from headrank.tables.write import latex_escape, to_csv, to_latex, to_markdown, write_table


def small_table(mark: str = "†") -> Table:
    columns = (
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("mean", "Mean_%", marked=True),
    )
    first = (text_cell("", "–"), text_cell("bm25", "BM25"), number_cell(1 / 3, 3))
    second = (text_cell("a_b", "A & B"), text_cell("x", "x|y"), Cell(0.5, "0.500", bold=True, mark=mark))
    return Table(columns, ((first,), (second,)), "50 % of #1", "tab:small")


def test_number_cells_keep_the_value_and_print_it_rounded() -> None:
    assert number_cell(0.123456, 3) == Cell(0.123456, "0.123")
    assert number_cell(-0.0124, 3, signed=True).text == "−0.012"
    assert number_cell(0.4321, 1, signed=True, scale=100).text == "+43.2"
    assert number_cell(-0.0001, 3, signed=True).text == "0.000"
    assert number_cell(float("nan"), 3) == Cell(None, "–")
    assert count_cell(1234567).text == "1\u2009234\u2009567"
    assert [p_cell(p).text for p in (0.0, 0.00099, 0.001, 0.0462)] == ["<0.001", "<0.001", "0.001", "0.046"]


def test_every_value_that_prints_like_the_best_is_bold() -> None:
    rows = [[number_cell(value, 2)] for value in (0.501, 0.499, 0.4, None)]
    assert [row[0].bold for row in bold_best(rows, 0)] == [True, True, False, False]
    assert [row[0].bold for row in bold_best(rows, 0, highest=False)] == [False, False, True, False]
    alone = [[number_cell(0.5, 2)], [number_cell(None, 2)]]
    assert not any(row[0].bold for row in bold_best(alone, 0))


def test_names_are_readable_and_methods_in_order() -> None:
    assert backbone_name("qwen3-0.6b") == "Qwen3 0.6B"
    assert backbone_name("small") == "Small"
    assert benchmark_name("dl19") == "DL 2019"
    assert benchmark_name("in-domain") == "In-domain"
    assert method_name("headrank-untrained") == "HeadRank (untrained)"
    assert method_name("no-entropy") == "no entropy term (λ = 0)"
    assert variant_name("headrank-k-4") == "K = 4"
    assert variant_name("queries-53") == "53 training queries"
    assert variant_name("other_thing") == "other thing"
    assert by_method(["zz", "headrank", "bm25"]) == ["bm25", "headrank", "zz"]
    trained = ["rankgpt", "qrhead-trained", "core-trained", "qrhead"]
    assert by_method(trained) == ["qrhead", "qrhead-trained", "core-trained", "rankgpt"]
    assert method_name("icr-faithful") == "ICR (as released)"
    assert method_name("routehead-faithful") == "RouteHead (as released)"
    some = ["setwise", "core", "routehead-faithful", "routehead", "icr-faithful"]
    assert by_method(some) == ["icr-faithful", "core", "routehead", "routehead-faithful", "setwise"]
    variants = ["queries-9", "k-16", "zz", "k-4", "no-entropy", "headrank", "queries-106"]
    assert by_variant(variants) == ["headrank", "no-entropy", "zz", "k-4", "k-16", "queries-9", "queries-106"]


def test_every_method_has_one_kind_and_variants_are_trained() -> None:
    order = [list(KINDS).index(kind_of(method)) for method in METHODS]
    assert order == sorted(order)
    assert len({entry.title for entry in METHODS.values()}) == len(METHODS)
    assert {kind_of(method) for method in WRITING} == {"generative"}
    ids = ["bm25", "core-own", "headrank-untrained", "core-trained", "yes-no", "qwen3-reranker"]
    kinds = ["lexical", "frozen", "frozen", "trained", "generative", "supervised"]
    assert [kind_of(method) for method in ids] == kinds
    assert [kind_of(method) for method in ("k-4", "headrank-k-4", "no-entropy")] == ["trained"] * 3
    assert kind_of("routehead-faithful") == "frozen"


def test_csv_has_full_precision_and_marks_in_a_column_of_their_own() -> None:
    lines = list(csv.reader(to_csv(small_table()).splitlines()))
    assert lines[0] == ["backbone", "method", "mean", "mean_mark"]
    assert lines[1] == ["", "bm25", repr(1 / 3), ""]
    assert float(lines[1][2]) == 1 / 3
    assert lines[2] == ["a_b", "x", "0.5", "†"]


def test_markdown_escapes_and_marks() -> None:
    lines = to_markdown(small_table()).splitlines()
    assert lines[0] == "50 % of \\#1"
    assert lines[2] == "| Backbone | Method | Mean\\_% |"
    assert lines[3] == "|:---|:---|---:|"
    assert lines[5] == "| A & B | x\\|y | **0.500**<sup>†</sup> |"


def test_latex_escapes_groups_and_marks() -> None:
    text = to_latex(small_table())
    assert r"\caption{50 \% of \#1}" in text
    assert r"\label{tab:small}" in text
    assert r"Method & Mean\_\% \\" in text
    assert r"\multicolumn{2}{@{}l}{\textit{A \& B}} \\" in text
    assert r"x\textbar{}y & \textbf{0.500}\rlap{$^{\dagger}$} \\" in text
    assert "BM25 & 0.333 \\\\" in text
    assert text.count(r"\midrule") == 2
    assert text.startswith("% needs \\usepackage{booktabs}\n")


def test_latex_of_many_columns_spans_the_page_with_upright_headings() -> None:
    columns = (
        Column("method", "Method", numeric=False),
        *(Column(f"b{number}", f"Benchmark {number}") for number in range(14)),
    )
    row = (text_cell("headrank", "HeadRank (untrained)"), *(number_cell(0.5, 3) for _ in range(14)))
    text = to_latex(Table(columns, ((row,),), "Many.", "tab:many"))
    assert "\\begin{table*}" in text
    assert "\\end{table*}" in text
    assert r"\rotatebox{90}{Benchmark 13\,}" in text
    assert "graphicx" in text.splitlines()[0]


def test_latex_of_many_rows_becomes_floats_of_one_number_broken_between_backbones() -> None:
    columns = (Column("backbone", "Backbone", numeric=False), Column("method", "Method", numeric=False))
    groups = tuple(
        tuple((text_cell(backbone), text_cell(f"{backbone}-{kind}-{number}")) for number in range(15))
        for backbone in "abc"
        for kind in ("x", "y")
    )
    parts = to_latex(Table(columns, groups, "Long.", "tab:long")).split("\\begin{table}")[1:]
    assert [part.count("\\midrule") for part in parts] == [1, 1, 1]
    assert [part.count("\\addlinespace") for part in parts] == [1, 1, 1]
    assert [f"{backbone}-y-14" in part for backbone, part in zip("abc", parts, strict=True)] == [True] * 3
    assert [r"\addtocounter{table}{-1}" in part for part in parts] == [False, True, True]
    assert [part.count(r"\label{tab:long}") for part in parts] == [1, 0, 0]
    assert all(part.rstrip().endswith(r"\end{table}") for part in parts)
    short = to_latex(Table(columns, groups[:2], "Short.", "tab:long"))
    assert short.count("\\begin{table}") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5%", r"a\_b \& 5\%"),
        ("{$x^2$}", r"\{\$x\textasciicircum{}2\$\}"),
        ("~\\#", r"\textasciitilde{}\textbackslash{}\#"),
        ("λ = 0 − é", r"$\lambda$ = 0 $-$ é"),
        ("中 ą", "[U+4E2D] [U+0105]"),
        ("a\nb", "a b"),
    ],
)
def test_latex_escape(text: str, expected: str) -> None:
    assert latex_escape(text) == expected


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles_with_every_printable_character(tmp_path: Path) -> None:
    odd = "".join(map(chr, [*range(32, 127), *range(0xA0, 0x180)])) + "λμαβ−×≤≥†‡–—“”中"
    columns = (Column("method", odd[:60], numeric=False), Column("mean", "m", marked=True))
    rows = tuple(
        (text_cell("x", odd), Cell(1.0, "1.0", bold, mark)) for bold, mark in ((True, "†"), (False, "‡"))
    )
    table = Table(columns, (rows,), odd, "tab:odd")
    document = (
        "\\documentclass{article}\\usepackage{booktabs}\\usepackage{graphicx}\n\\begin{document}\n"
        + to_latex(table)
        + "\\end{document}\n"
    )
    (tmp_path / "page.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_table_is_written_three_times_with_equal_bytes(tmp_path: Path) -> None:
    contents = []
    for place in (tmp_path / "one", tmp_path / "two"):
        paths = {kind: place / f"small.{kind}" for kind in ("csv", "tex", "md")}
        write_table(small_table(), csv=paths["csv"], tex=paths["tex"], md=paths["md"])
        contents.append([path.read_bytes() for path in paths.values()])
        assert sorted(path.name for path in place.iterdir()) == ["small.csv", "small.md", "small.tex"]
    assert contents[0] == contents[1]
    assert all(contents[0])
    assert b"\r" not in b"".join(contents[0])


def test_formatted_cells_are_strings_with_their_marks() -> None:
    assert small_table().formatted()["mean"].tolist() == ["0.333", "0.500†"]


def test_wrong_shapes_and_labels_are_refused() -> None:
    with pytest.raises(InputError, match="1 cells under 2 columns"):
        Table((Column("a", "A"), Column("b", "B")), (((number_cell(1, 0),),),), "c", "tab:x")
    bad = Table((Column("a", "A"),), (((number_cell(1, 0),),),), "c", "tab x")
    with pytest.raises(InputError, match="'tab x'"):
        to_latex(bad)


def test_tidy_checks_name_what_is_wrong() -> None:
    frame = pd.DataFrame({"a": ["x", "x"], "v": [1.0, 2.0]})
    with pytest.raises(InputError, match=r"thing: missing column\(s\) b; it has a, v"):
        require(frame, ["a", "b"], "thing")
    with pytest.raises(InputError, match="thing: no rows"):
        require(frame.iloc[:0], ["a"], "thing")
    with pytest.raises(InputError, match="more than one row for a=x"):
        records(frame, ["a"], ["v"], "thing")
    with pytest.raises(InputError, match="v must be a share from 0 to 1, got 2"):
        require_shares(frame, ["v"], "thing")
