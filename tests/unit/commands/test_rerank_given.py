"""``headrank rerank --documents``: the passages of one query, as lines for people and as JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import checkpoint, passages

from headrank import Reranker
from headrank.api.passes import BEYOND
from headrank.api.ranked import RankedDocument
from headrank.cli import main
from headrank.commands.rerank_given import _lines

QUERY = "red oak"
Rank = Callable[..., int]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rows = [json.dumps({"_id": d.docid, "title": d.title, "text": d.text}) for d in passages(8)]
    (tmp_path / "passages.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "passages.txt").write_text("\n\n".join(d.text for d in passages(8)) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def rank(files: Path) -> Rank:
    def run(*more: str, documents: str = "passages.jsonl", method: str = "icr") -> int:
        fixed = ("--backbone", str(checkpoint("qwen3")), "--device", "cpu", "--query", QUERY)
        return main(["rerank", "--method", method, *fixed, "--documents", str(files / documents), *more])

    return run


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("method", ["icr", "rankgpt"])
def test_the_file_holds_what_python_gives(files: Path, rank: Rank, method: str) -> None:
    output = files / "new" / "ranking.jsonl"
    assert rank("--output", str(output), method=method) == 0
    expected = Reranker(method, checkpoint("qwen3"), device="cpu").rank(QUERY, passages(8))
    found = written(output)
    assert [(row["rank"], row["id"], row["index"], row["text"]) for row in found] == [
        (d.rank, d.id, d.index, d.text) for d in expected
    ]
    assert [row["score"] for row in found] == pytest.approx([d.score for d in expected])
    assert all(row["reranked"] and row["relevance_score"] is None for row in found)
    assert rank("--output", str(output), "--top-k", "3", method=method) == 0
    assert written(output) == found[:3]


def test_it_prints_the_same_ranking_to_be_read(
    files: Path, rank: Rank, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank("--output", str(files / "ranking.jsonl")) == 0
    capsys.readouterr()
    assert rank() == 0
    told = capsys.readouterr()
    first, *lines = told.out.splitlines()
    assert first.split() == ["rank", "score", "id", "passage"]
    rows = written(files / "ranking.jsonl")
    assert [line.split()[:3] for line in lines] == [
        [str(row["rank"]), f"{row['score']:.4g}", row["id"]] for row in rows
    ]
    assert all(len(line) <= 100 for line in lines)
    assert told.err == ""


def test_lines_of_plain_text_are_passages_with_their_numbers(
    rank: Rank, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(documents="passages.txt") == 0
    ids = [line.split()[2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert sorted(ids) == [str(n) for n in range(1, 9)]


def test_more_passages_than_a_pass_reads(files: Path, rank: Rank, capsys: pytest.CaptureFixture[str]) -> None:
    output = files / "ranking.jsonl"
    reranker = Reranker("icr", checkpoint("qwen3"), device="cpu", depth=3)
    for beyond in BEYOND[:2]:
        assert rank("--depth", "3", "--beyond", beyond, "--output", str(output)) == 0
        expected = reranker.rank(QUERY, passages(8), beyond=beyond, progress=False)
        assert [row["id"] for row in written(output)] == [d.id for d in expected]
        assert "not read" not in capsys.readouterr().err
    # As in Python, windows are what happens unless another way is asked for.
    assert rank("--depth", "3", "--output", str(output)) == 0
    expected = reranker.rank(QUERY, passages(8), progress=False)
    assert [row["id"] for row in written(output)] == [d.id for d in expected]
    capsys.readouterr()
    assert rank("--depth", "3", "--beyond", "append", "--top-k", "4", "--output", str(output)) == 0
    assert "note: 5 of 8 passages are not read and follow behind" in capsys.readouterr().err
    rows = written(output)
    assert [row["reranked"] for row in rows] == [True, True, True, False]
    assert rows[3]["index"] == 3


@pytest.mark.parametrize(("method", "told"), [("icr", 1), ("yes-no", 0)])
def test_equal_scores_are_told_once(
    rank: Rank,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    told: int,
) -> None:
    tied = [RankedDocument(i, str(i), i + 1, 0.5, "oak") for i in range(3)]
    monkeypatch.setattr(Reranker, "rank", lambda *_, **__: tied)
    assert rank(method=method) == 0
    # Methods that ask the model tell it where they rank.
    assert capsys.readouterr().err.count("the scores of all 3 passages are equal; they stay as given") == told
    monkeypatch.setattr(Reranker, "rank", lambda *_, **__: tied[:1])
    assert rank(method=method) == 0
    assert "equal" not in capsys.readouterr().err


def test_a_probability_is_shown_in_place_of_the_score() -> None:
    ranked = [
        RankedDocument(1, "a-long-name", 1, 7.5, "oak", relevance_score=0.876),
        RankedDocument(0, "b", 2, 0.25, "elm", "A title", relevance_score=0.0312),
        RankedDocument(2, "c", 3, 0.25, "unread", reranked=False),
    ]
    assert list(_lines(ranked, 100)) == [
        "rank  relevance  id           passage",
        "   1       0.88  a-long-name  oak",
        "   2       0.03  b            A title elm",
        "   3          –  c            unread",
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--query", "x"), "--query goes with --documents"),
        (("--top-k", "3"), "--top-k goes with --documents"),
        (("--documents", "{file}"), "--documents goes with --query"),
        (("--documents", "{file}", "--query", " "), "--query"),
        (("--documents", "{file}", "--query", "x", "--run", "y"), "leave --run out"),
        (("--documents", "{file}", "--query", "x", "--depth", "1"), "--depth 1: one passage is no ranking"),
        (("--documents", "{file}", "--query", "x", "--output", "{file}"), "is read (--documents)"),
        (("--documents", "{file}", "--query", "x", "--order-by", "rank"), "leave --order-by out"),
        (("--documents", "{file}", "--query", "x", "--only-reranked"), "leave --only-reranked out"),
        ((), "give --run with --collection (or --queries and --corpus), or --query with --documents"),
        (("--run", "x", "--collection", "y"), "--output: name the TREC run to write"),
        (
            ("--run", "x", "--collection", "y", "--output", "z", "--beyond", "windows", "--only-reranked"),
            "does not go with --only-reranked",
        ),
    ],
)
def test_what_does_not_go_together(
    files: Path, given: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(file=files / "passages.jsonl") for word in given]
    assert main(["rerank", "--method", "icr", "--backbone", "none", *words]) in (2, 5)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line


def test_a_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "headrank", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("headrank ")
