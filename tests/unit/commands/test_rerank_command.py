"""``headrank rerank`` on the whole: what is in the run it writes, where it goes, and what the user is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support import checkpoint, passages

from headrank import Reranker
from headrank.api.passes import Beyond
from headrank.cli import main
from headrank.data.beir import Document
from headrank.data.trec import read_run, write_run

QUERIES = ("q0", "q1")
Rerank = Callable[..., int]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    corpus = [json.dumps({"_id": d.docid, "title": None, "text": d.text}) for d in passages(8)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(corpus) + "\n", encoding="utf-8")
    queries = [json.dumps({"_id": qid, "text": f"red oak {qid}"}) for qid in QUERIES]
    (tmp_path / "queries.jsonl").write_text("\n".join(queries) + "\n", encoding="utf-8")
    write_run(
        tmp_path / "bm25.trec", {qid: [(f"d{i}", 9.0 - i) for i in range(8)] for qid in QUERIES}, "bm25"
    )
    return tmp_path


@pytest.fixture
def rerank(files: Path) -> Rerank:
    def run(*more: str, method: str = "icr", out: str | Path = files / "out.trec") -> int:
        fixed = ("--backbone", str(checkpoint("qwen3")), "--device", "cpu", "--collection", str(files))
        given = ("--run", str(files / "bm25.trec"), "--output", str(out), *more)
        return main(["rerank", "--method", method, *fixed, *given])

    return run


def ranked(path: Path) -> dict[str, list[str]]:
    return {qid: [docid for docid, _ in found] for qid, found in read_run(path).items()}


@pytest.mark.parametrize("method", ["icr", "rankgpt", "icr-faithful"])
def test_candidates_beyond_the_depth_follow_in_their_order(
    files: Path, rerank: Rerank, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rerank("--depth", "3", method=method) == 0
    assert "10 candidates beyond the first 3 of their query are not reranked and follow behind" in (
        capsys.readouterr().err
    )
    for found in ranked(files / "out.trec").values():
        assert sorted(found[:3]) == ["d0", "d1", "d2"]
        assert found[3:] == [f"d{i}" for i in range(3, 8)]
    first = ranked(files / "out.trec")
    assert rerank("--depth", "3", "--only-reranked", method=method) == 0
    assert ranked(files / "out.trec") == {qid: found[:3] for qid, found in first.items()}
    assert "are left out" in capsys.readouterr().err


@pytest.mark.parametrize("beyond", ["windows", "tournament"])
@pytest.mark.parametrize("method", ["icr", "yes-no", "rankgpt"])
def test_all_candidates_are_read_in_several_passes(
    files: Path, rerank: Rerank, beyond: Beyond, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rerank("--depth", "3", "--beyond", beyond, method=method) == 0
    assert "follow behind" not in capsys.readouterr().err
    one = Reranker(method, checkpoint("qwen3"), device="cpu", depth=3)
    # The files' passages have no titles.
    documents = [Document(d.docid, "", d.text) for d in passages(8)]
    for qid, found in ranked(files / "out.trec").items():
        expected = one.rank(f"red oak {qid}", documents, beyond=beyond, progress=False)
        assert found == [document.id for document in expected]


def test_a_run_in_the_order_of_its_ranks(files: Path, rerank: Rerank) -> None:
    lines = [f"{qid} Q0 d{i} {i + 1} 0 flat" for qid in QUERIES for i in range(8)]
    (files / "bm25.trec").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert rerank("--depth", "2") == 5
    assert not (files / "out.trec").exists()
    assert rerank("--depth", "2", "--order-by", "rank") == 0
    for found in ranked(files / "out.trec").values():
        assert sorted(found[:2]) == ["d0", "d1"]
        assert found[2:] == [f"d{i}" for i in range(2, 8)]


def test_every_command_that_reads_runs_knows_what_orders_them(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = files / "distances.trec"
    run.write_text("".join(f"q0 Q0 d{i} {i + 1} 0.{i + 1} x\n" for i in range(4)), encoding="utf-8")
    (files / "qrels.trec").write_text("q0 0 d0 1\n", encoding="utf-8")
    commands = [
        ["evaluate", "--run", str(run), "--qrels", str(files / "qrels.trec"), "--metrics", "rr"],
        ["fuse", "--run", str(run), str(run), "--output", str(files / "fused.trec")],
        ["show", str(run), "--collection", str(files)],
    ]
    for command in commands:
        assert main(command) == 5
        assert "distances.trec: ranks and scores disagree" in capsys.readouterr().err
        assert main([*command, "--order-by", "rank"]) == 0
    capsys.readouterr()
    for order, value in (("rank", "1.0000"), ("score", "0.2500")):
        assert main([*commands[0], "--order-by", order]) == 0
        assert f"rr\t{value}" in capsys.readouterr().out


def test_the_output_is_written_through_a_link(files: Path, rerank: Rerank) -> None:
    (files / "link.trec").symlink_to("real.trec")
    assert rerank(out=files / "link.trec") == 0
    assert (files / "link.trec").is_symlink()
    assert set(ranked(files / "real.trec")) == set(QUERIES)
    assert rerank(out="/dev/null") == 0


def test_long_passages_without_blanks(
    files: Path, rerank: Rerank, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["红橡树是一种落叶乔木，" * n for n in (30, 400)]
    corpus = [json.dumps({"_id": f"d{i}", "text": texts[i % 2]}) for i in range(8)]
    (files / "corpus.jsonl").write_text("\n".join(corpus) + "\n", encoding="utf-8")
    assert rerank() == 0
    assert rerank("--truncate-tokens", "600") == 5
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("error: query 'q0': a prompt of ")
    assert "truncate_tokens" in told
    for method in ("icr", "icr-faithful", "yes-no"):
        assert rerank("--truncate-tokens", "100", method=method) == 0
    assert rerank("--truncate-words", "100") == 0
    assert rerank("--truncate-words", "100", method="icr-faithful") == 2
    assert "as many words as its authors do" in capsys.readouterr().err


def test_a_query_without_text_is_named_before_the_model_is_read(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "queries.jsonl").write_text(
        '{"_id": "q0", "text": "oak"}\n{"_id": "q1", "text": " \\u200b"}\n', encoding="utf-8"
    )
    fixed = ("--collection", str(files), "--run", str(files / "bm25.trec"), "--output", str(files / "out"))
    assert main(["rerank", "--method", "icr", "--backbone", "none", *fixed]) == 5
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {files}: query 'q1' has no text")


def test_the_long_query_is_named_and_not_the_first(
    files: Path, rerank: Rerank, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = [json.dumps({"_id": qid, "text": "oak " * times}) for qid, times in (("q0", 1), ("q1", 1200))]
    (files / "queries.jsonl").write_text("\n".join(queries) + "\n", encoding="utf-8")
    for method in ("icr", "rankgpt"):
        assert rerank(method=method) == 5
        assert capsys.readouterr().err.splitlines()[-1].startswith("error: query 'q1': a prompt of ")


def test_queries_without_candidates_and_scores_that_say_nothing_are_told(
    files: Path, rerank: Rerank, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (files / "queries.jsonl").open("a", encoding="utf-8") as stream:
        stream.writelines(f'{{"_id": "n{i}", "text": "elm"}}\n' for i in range(7))
    import headrank.methods.ready as ready

    real = ready.rerank_together
    monkeypatch.setattr(
        ready,
        "rerank_together",
        lambda *a: {name: frame.assign(score=0.5) for name, frame in real(*a).items()},
    )
    assert rerank() == 0
    told = capsys.readouterr().err.splitlines()
    assert "note: 7 of 9 queries have no candidates and are left out: n0, n1, n2, n3, n4 and 2 more" in told
    assert "note: all scores are equal for 2 of 2 queries, which stay as given: q0, q1" in told


def test_a_generative_method_s_ties_are_told_once(
    rerank: Rerank,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import headrank.generative.rerank as module

    real = module.hold
    monkeypatch.setattr(module, "hold", lambda *a: [([0.0] * len(s), called) for s, called in real(*a)])
    assert rerank(method="yes-no") == 0
    told = [*capsys.readouterr().err.splitlines(), *(record.getMessage() for record in caplog.records)]
    told = [line for line in dict.fromkeys(told) if "tied" in line or "equal" in line]
    assert len({line.partition("yes-no: ")[2] for line in told}) == 1, told
    assert "of 2 queries, 2 have all candidates tied" in told[0]


@pytest.mark.parametrize("name", ["bm25.trec", "queries.jsonl", "corpus.jsonl"])
def test_a_file_that_is_read_is_not_written(
    files: Path, rerank: Rerank, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    link = files / "link"
    link.symlink_to(files / name)
    before = (files / name).read_bytes()
    for output in (files / name, link):
        assert rerank(out=output) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {output}: is read (--")
        assert (files / name).read_bytes() == before
    run = str(files / "bm25.trec")
    assert main(["fuse", "--run", run, run, "--output", run]) == 2
    assert "is read (--run)" in capsys.readouterr().err
