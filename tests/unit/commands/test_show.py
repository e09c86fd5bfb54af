"""Rankings side by side: the lines for people, and the command that prints them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrank.cli import main
from headrank.commands.side_by_side import marks, side_by_side, values_below
from headrank.commands.terminal import clipped, encodable
from headrank.data.trec import read_qrels, read_run
from headrank.evaluation.evaluate import evaluate

RANKINGS = {"BM25": ["a", "b", "c", "d"], "HeadRank": ["c", "a", "d"]}
TEXTS = {docid: f"passage {docid} " + "and so on " * 9 for docid in "abcd"}


def test_every_run_s_first_passages_stand_in_the_order_of_the_last_run() -> None:
    lines = side_by_side(RANKINGS, TEXTS, {"c": 3, "a": 0, "b": 1}, 3, top=2, width=61)
    assert lines == [
        "BM25  HeadRank",
        "   3         1  ●●●  passage c and so on and so on and so on…",
        "   1         2  ○○○  passage a and so on and so on and so on…",
        "   2         –  ●○○  passage b and so on and so on and so on…",
    ]
    assert values_below({"BM25": 0.5, "HeadRank": 1.0}, "nDCG@10") == " .50      1.00  nDCG@10"


def test_what_the_last_run_lacks_keeps_the_order_of_the_one_before_it() -> None:
    rankings = {"one": ["d", "c", "b", "a"], "two": ["b"]}
    lines = side_by_side(rankings, TEXTS, None, 0, top=4, width=80)
    assert [line.split()[3] for line in lines[1:]] == ["b", "d", "c", "a"]


def test_lines_fill_the_width_and_no_more() -> None:
    for width in (64, 100):
        lines = side_by_side(RANKINGS, TEXTS, {}, 3, top=4, width=width)
        assert all(width - 10 < len(line) <= width for line in lines[1:])


@pytest.mark.parametrize(
    ("grade", "highest", "shown"),
    [
        (2, 3, "●●○"),
        (0, 3, "○○○"),
        (-1, 3, "○○○"),
        (None, 3, "–  "),
        (1, 1, "●"),
        (0, 0, "○"),
        (7, 10, " 7"),
        (None, 10, " –"),
    ],
)
def test_marks_of_grades(grade: int | None, highest: int, shown: str) -> None:
    assert marks(grade, highest) == shown


def test_a_passage_cannot_move_the_cursor() -> None:
    assert clipped("red\x1b[2J\r\n\toak \u202e!", 80) == "red [2J oak !"
    assert clipped("x" * 80, 50) == "x" * 49 + "…"
    assert clipped("x" * 39, 5) == "x" * 39


def test_terminals_without_the_marks_get_plainer_ones() -> None:
    line = "   1  –  ●●○  l'été…"
    assert encodable(line, "utf-8") == encodable(line, None) == line
    assert encodable(line, "ascii") == "   1  -  **.  l'?t?>"


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    documents = [{"_id": f"d{i}", "title": "", "text": f"passage number {i}"} for i in range(6)]
    queries = [{"_id": f"q{i}", "text": f"question {i}?"} for i in range(3)]
    for name, records in (("corpus", documents), ("queries", queries)):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "qrels.trec").write_text("q0 0 d1 2\nq0 0 d0 0\nq1 0 d5 1\n", encoding="utf-8")
    for tag, order in (("bm25", range(6)), ("icr", (1, 5, 0, 2))):
        run = [f"q{q} Q0 d{d} {r} {-r} {tag}\n" for q in range(3) for r, d in enumerate(order, 1)]
        (tmp_path / f"{tag}.trec").write_text("".join(run), encoding="utf-8")
    return tmp_path


def show(folder: Path, *more: str) -> int:
    runs = (str(folder / "bm25.trec"), f"Second={folder / 'icr.trec'}")
    return main(["show", *runs, "--width", "80", *more])


def test_a_collection_s_judgements_are_found(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(collection, "--collection", str(collection), "--top", "2") == 0
    printed = capsys.readouterr().out.splitlines()
    values = {
        tag: evaluate(
            read_run(collection / f"{tag}.trec"), read_qrels(collection / "qrels.trec"), ["ndcg@10"]
        )["value"]
        for tag in ("bm25", "icr")
    }
    assert printed[:8] == [
        "",
        "question 0?",
        "",
        "BM25  Second",
        "   2       1  ●●  passage number 1",
        "   6       2  –   passage number 5",
        "   1       3  ○○  passage number 0",
        " .63    1.00  nDCG@10",
    ]
    # The third query has no judgement: no marks, and no value below.
    third = printed[printed.index("question 2?") :]
    assert third[2:6] == [
        "BM25  Second",
        "   2       1  passage number 1",
        "   6       2  passage number 5",
        "   1       3  passage number 0",
    ]
    assert printed[-4:] == [
        "Mean nDCG@10 over 2 judged queries",
        "",
        f"  BM25    {values['bm25'].mean():.3f}",
        f"  Second  {values['icr'].mean():.3f}",
    ]
    assert not any("\x1b" in line for line in printed)


def test_queries_are_limited_or_named(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--queries", str(collection / "queries.jsonl"), "--corpus", str(collection / "corpus.jsonl"))
    assert show(collection, *files, "--limit", "1") == 0
    printed = capsys.readouterr().out
    assert "question 0?" in printed
    assert "question 1?" not in printed
    # Without --collection there are no judgements unless they are named.
    assert "nDCG" not in printed
    assert show(collection, *files, "--only", "q2", "q1", "--qrels", str(collection / "qrels.trec")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("question")] == ["question 2?", "question 1?"]
    assert "Mean nDCG@10 over 2 judged queries" in lines


def test_faults_are_told_in_one_line(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str) -> str:
        assert main(["show", *arguments]) in (2, 4, 5)
        captured = capsys.readouterr()
        assert not captured.out
        assert captured.err.count("\n") == 1
        return captured.err

    run, folder = str(collection / "bm25.trec"), ("--collection", str(collection))
    assert "a second run with the label 'BM25'; give each its own, as LABEL=" in told(run, run, *folder)
    assert "--only q7: no run ranks this query" in told(run, *folder, "--only", "q7")
    assert "--queries and --corpus, or --collection" in told(run)
    assert "no such file" in told("BM25=nowhere.trec", *folder)
    (collection / "few.jsonl").write_text('{"_id": "d0", "text": "x"}\n', encoding="utf-8")
    texts = ("--queries", str(collection / "queries.jsonl"), "--corpus", str(collection / "few.jsonl"))
    assert "few.jsonl: passage d1 of the runs is not there" in told(run, *texts)
    (collection / "queries.jsonl").write_text('{"_id": "other", "text": "x"}\n', encoding="utf-8")
    assert "query q0: has no text, nor has any other query of the runs" in told(run, *folder)
