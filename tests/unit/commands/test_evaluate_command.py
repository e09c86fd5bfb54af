"""``headrank evaluate``: means of the metrics that are asked for, by name, cut-off and relevance level."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrank.cli import main


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "run.trec").write_text("q Q0 a 1 2.0 x\nq Q0 b 2 1.0 x\n", encoding="utf-8")
    (tmp_path / "qrels.trec").write_text("q 0 a 1\nq 0 b 2\np 0 c 1\n", encoding="utf-8")
    return ["evaluate", "--run", str(tmp_path / "run.trec"), "--qrels", str(tmp_path / "qrels.trec")]


def test_it_prints_a_mean_over_all_judged_queries(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, "--metrics", "rr", "rr(rel=2)", "precision@2"]) == 0
    assert capsys.readouterr().out == "rr\t0.5000\nrr(rel=2)\t0.2500\nprecision@2\t0.5000\nqueries\t2\n"
    assert main(files) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [
        *("ndcg@10", "recall@100", "queries")
    ]


def test_an_unknown_metric_is_told_in_one_line(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, "--metrics", "ndgc@10"]) == 2
    assert capsys.readouterr().err == (
        "error: metrics: 'ndgc@10' is unknown; known: judged@K, map, ndcg@K, precision@K, recall@K, rr, rr@K\n"
    )


def test_help_lists_the_metrics_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "judged@K, map, ndcg@K" in " ".join(capsys.readouterr().out.split())


def test_one_level_for_all_metrics_that_have_one(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = ("--metrics", "rr", "rr(rel=1)@5", "recall@1", "ndcg@1")
    assert main([*files, *metrics, "--relevance-level", "2"]) == 0
    assert capsys.readouterr().out == (
        "rr(rel=2)\t0.2500\nrr@5\t0.5000\nrecall(rel=2)@1\t0.0000\nndcg@1\t0.2500\nqueries\t2\n"
    )
    assert main([*files, "--metrics", "rr", "rr(rel=2)", "--relevance-level", "2"]) == 2
    assert capsys.readouterr().err == "error: metrics: 'rr(rel=2)' is given twice; keep one\n"
