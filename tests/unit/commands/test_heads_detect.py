"""``headrank heads detect``: its training lists are those that a study draws (R6), whatever else the run holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from support import checkpoint, passages

from headrank.cli import main
from headrank.data.training_lists import build_lists
from headrank.data.trec import read_qrels, read_run
from headrank.heads.head_set import HeadSet
from headrank.methods import choose_heads
from headrank.retrieval.first_stage import cut
from headrank.settings import ListSettings

Detect = Callable[..., pd.DataFrame]

# The first stage finds d0 to d4 for q0 and d5 to d9 for q1; each query's relevant document is found for the other only,
# or for none. d99 is judged, but the corpus no longer holds it.
RUN = {"q0": [0, 1, 2, 3, 4], "q1": [5, 6, 7, 8, 9]}
QRELS = {
    "q0": {"d5": 2, "d10": 1, "d0": 0, "d1": 0, "d6": 0, "d99": 2},
    "q1": {"d0": 2, "d11": 1, "d6": 0, "d7": 0},
    "q2": {"d0": 1, "d1": 0},
}
COLUMNS = ["sample", "position", "docid", "grade", "rank"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    documents = passages(12)
    corpus = [json.dumps({"_id": d.docid, "title": d.title, "text": d.text}) for d in documents]
    (tmp_path / "corpus.jsonl").write_text("\n".join(corpus) + "\n", encoding="utf-8")
    queries = [json.dumps({"_id": qid, "text": f"red oak {qid}"}) for qid in QRELS]
    (tmp_path / "queries.jsonl").write_text("\n".join(queries) + "\n", encoding="utf-8")
    qrels = [f"{qid} 0 {docid} {grade}" for qid, grades in QRELS.items() for docid, grade in grades.items()]
    (tmp_path / "qrels.trec").write_text("\n".join(qrels) + "\n", encoding="utf-8")
    write_run(tmp_path, RUN)
    return tmp_path


def write_run(folder: Path, run: dict[str, list[int]]) -> None:
    lines = [f"{q} Q0 d{d} {i + 1} {99 - i} bm25" for q, ranked in run.items() for i, d in enumerate(ranked)]
    (folder / "bm25.trec").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def detect(files: Path, monkeypatch: pytest.MonkeyPatch) -> Detect:
    """Run the command; the lists that the heads were chosen on."""
    drawn: list[pd.DataFrame] = []

    def build(*arguments: object) -> pd.DataFrame:
        drawn.append(build_lists(*arguments))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(choose_heads, "build_lists", build)

    def run(*more: str, collection: bool = True) -> pd.DataFrame:
        pair = ("--queries", str(files / "queries.jsonl"), "--corpus", str(files / "corpus.jsonl"))
        texts = ("--collection", str(files)) if collection else pair
        arguments = (
            "--criterion",
            "qrhead",
            "--backbone",
            str(checkpoint("qwen3")),
            "--device",
            "cpu",
            *texts,
        )
        named = ("--run", str(files / "bm25.trec"), "--qrels", str(files / "qrels.trec"))
        assert main(["heads", "detect", *arguments, *named, "--output", str(files / "o.json"), *more]) == 0
        return drawn[-1]

    return run


def of_study(files: Path, samples: int = 3) -> pd.DataFrame:
    """The lists of the rules ``passages`` and ``lists``: texts of all candidates and of all judged documents."""
    run = cut(read_run(files / "bm25.trec"), 100)
    qrels = {qid: grades for qid, grades in read_qrels(files / "qrels.trec").items() if qid in run}
    texts = {document.docid: document for document in passages(12)}
    queries = {qid: f"red oak {qid}" for qid in qrels}
    return build_lists(queries, qrels, run, texts, ListSettings(), samples, seed=0)


@pytest.mark.parametrize("collection", [True, False])
def test_judged_documents_that_no_query_retrieved_are_in_the_lists(
    files: Path, detect: Detect, collection: bool
) -> None:
    lists = detect(collection=collection)
    pd.testing.assert_frame_equal(lists, of_study(files))
    first = lists[(lists["qid"] == "q0") & (lists["sample"] == 0)]
    # Both relevant documents that the corpus holds, the three of grade 0, and three candidates that nobody judged.
    grades = {"d5": 2, "d10": 1, "d0": 0, "d1": 0, "d6": 0, "d2": -1, "d3": -1, "d4": -1}
    assert dict(zip(first["docid"], first["grade"], strict=True)) == grades


def test_a_query_s_lists_do_not_depend_on_the_run_s_other_queries(
    files: Path, detect: Detect, capsys: pytest.CaptureFixture[str]
) -> None:
    both = detect()
    assert "1 of 3 judged queries are not in the run and are left out" in capsys.readouterr().err
    for qid in RUN:
        write_run(files, {qid: RUN[qid]})
        alone = detect()
        among = both[both["qid"] == qid]
        pd.testing.assert_frame_equal(alone[COLUMNS], among[COLUMNS].reset_index(drop=True))


def test_a_deep_run_counts_as_deep_as_a_study_keeps_it(files: Path, detect: Detect) -> None:
    """Of grade 0, documents below that depth come last, as if the first stage had not found them."""
    documents = passages(300)
    corpus = [json.dumps({"_id": d.docid, "title": d.title, "text": d.text}) for d in documents]
    (files / "corpus.jsonl").write_text("\n".join(corpus) + "\n", encoding="utf-8")
    grades = {"d5": 2} | {f"d{i}": 0 for i in range(80, 140)}
    lines = [f"q0 0 {docid} {grade}" for docid, grade in grades.items()]
    (files / "qrels.trec").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_run(files, {"q0": list(range(300))})
    deep = detect()
    write_run(files, {"q0": list(range(100))})
    pd.testing.assert_frame_equal(detect(), deep)


def test_the_number_of_lists_can_be_that_of_a_study_that_trains(files: Path, detect: Detect) -> None:
    pd.testing.assert_frame_equal(detect("--samples", "5"), of_study(files, samples=5))
    assert HeadSet.load(files / "o.json").provenance["queries"] == 2


@pytest.mark.parametrize("texts", ["collection", "files"])
def test_a_candidate_without_a_text_is_named(
    files: Path, texts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(files, {"q0": [0, 1, 77]})
    pair = ["--queries", str(files / "queries.jsonl"), "--corpus", str(files / "corpus.jsonl")]
    given = ["--collection", str(files)] if texts == "collection" else pair
    named = ["--run", str(files / "bm25.trec"), "--qrels", str(files / "qrels.trec"), *given]
    command = ["heads", "detect", "--criterion", "qrhead", "--backbone", str(checkpoint("qwen3")), *named]
    assert main([*command, "--output", str(files / "o.json")]) == 5
    told = capsys.readouterr().err.splitlines()
    assert len([line for line in told if "d77" in line]) == 1
    assert not (files / "o.json").exists()
