"""The TIREx image: its script on TIREx's input, and a definition that pins what it takes.

The image itself is not built: that needs a container engine and a registry.
"""

from __future__ import annotations

import gzip
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from support import checkpoint, passages

from headrank.data.trec import read_run

FOLDER = Path(__file__).parents[3] / "envs" / "tirex"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / "rerank.py"))


def lines(**changes: Any) -> list[str]:
    rows = [
        {
            "qid": q,
            "query": f"red oak {q}",
            "docno": d.docid,
            "text": d.text,
            "rank": 5 - i,
            "score": float(i),
        }
        for q in (1, 2)
        for i, d in enumerate(passages(5))
    ]
    return [json.dumps({**row, "original_query": {}, "original_document": {}, **changes}) for row in rows]


def test_it_writes_a_run_of_all_candidates(script: dict[str, Any], tmp_path: Path) -> None:
    with gzip.open(tmp_path / "rerank.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write("\n".join(lines()) + "\n")
    given = ("--input", str(tmp_path), "--output", str(tmp_path / "out"))
    model = ("--method", "icr", "--backbone", str(checkpoint("qwen3")), "--device", "cpu")
    assert script["main"]([*given, *model]) == 0
    run = read_run(tmp_path / "out" / "run.txt")
    assert {qid: {docid for docid, _ in found} for qid, found in run.items()} == {
        qid: {f"d{i}" for i in range(5)} for qid in ("1", "2")
    }


def test_candidates_keep_the_order_of_their_ranks(script: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "rerank.jsonl").write_text("\n".join(lines()) + "\n", encoding="utf-8")
    script["unpack"](tmp_path, tmp_path)
    assert [docid for docid, _ in read_run(tmp_path / "run.trec")["1"]] == ["d4", "d3", "d2", "d1", "d0"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (["{"], "rerank.jsonl:1: no JSON ("),
        (["[]"], "rerank.jsonl:1: not a JSON object"),
        (lines(query=None), "rerank.jsonl:1: query: expected a text"),
        (lines(rank="1"), "rerank.jsonl:1: rank: expected a number"),
        (lines(docno="d1"), "rerank.jsonl:2: d1 has another text than in a line before"),
    ],
)
def test_input_that_is_none_is_one_line(
    script: dict[str, Any], content: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rerank.jsonl").write_text("\n".join(content) + "\n", encoding="utf-8")
    assert script["main"](["--input", str(tmp_path), "--output", str(tmp_path / "out")]) == 5
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}/{told}")
    assert not (tmp_path / "out").exists()


def test_the_image_is_made_from_exact_versions_and_needs_no_network() -> None:
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON=\S+/python:3\.11\.[0-9]+-slim-[a-z]+$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON}"}
    assert "--constraint constraints.txt" in text
    assert "HF_HUB_OFFLINE=1" in text
    # Everything that is copied from the repository is let through, and nothing else is.
    let = {
        line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = [line.split()[1:-1] for line in re.findall(r"^COPY (?!--).*$", text, re.MULTILINE)]
    assert let == {name for names in copied for name in names}
    assert all((FOLDER.parents[1] / name).exists() for name in let)
