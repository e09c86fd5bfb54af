"""Evaluation of whole runs: its rules, bad input, and published figures."""

from __future__ import annotations

import math
from pathlib import Path

import ir_measures
import pytest

from headrank.data.trec import read_qrels, read_run
from headrank.errors import InputError
from headrank.evaluation.evaluate import evaluate, means


def test_the_mean_runs_over_all_judged_queries(caplog: pytest.LogCaptureFixture):
    run = {"a": [("d", 1.0)], "unknown": [("d", 1.0)], "empty": []}
    qrels = {"a": {"d": 1}, "b": {"d": 1}, "empty": {"d": 2}, "nothing": {"d": 0}}
    frame = evaluate(run, qrels, ["ndcg@10", "rr", "judged@10"])
    assert list(frame.columns) == ["qid", "metric", "value"]
    assert list(frame["qid"].unique()) == ["a", "b", "empty", "nothing"]
    assert means(frame) == {"ndcg@10": 0.25, "rr": 0.25, "judged@10": 0.25}
    assert "3 queries are missing from the run and count as 0: b, empty, nothing" in caplog.text
    assert "1 queries have no judgements: unknown" in caplog.text


def test_the_order_of_the_list_counts_not_the_tie_rule():
    """trec_eval would put z first on equal scores; the run's list says a."""
    frame = evaluate({"q": [("a", 1.0), ("z", 1.0)]}, {"q": {"a": 1}}, ["rr"])
    assert means(frame) == {"rr": 1.0}


@pytest.mark.parametrize(
    ("run", "word"),
    [
        ({"q": [("d", math.nan)]}, "query q: document d has the score nan"),
        ({"q": [("d", math.inf)]}, "query q: document d has the score inf"),
        ({"q": [("d", 2.0), ("d", 1.0)]}, "query q: document d appears twice"),
        ({"q": [("d", 1.0), ("e", 2.0)]}, "query q: scores rise at document e"),
        ({"other": [("d", 1.0)]}, "share no query"),
        ({"q": []}, "share no query"),
        ({}, "share no query"),
    ],
)
def test_bad_runs(run, word):
    with pytest.raises(InputError, match=word):
        evaluate(run, {"q": {"d": 1}}, ["ndcg@10"])


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("dl19/run.bm25", 0.5058),
        ("dl20/run.bm25", 0.4796),
        ("dl21/run.bm25", 0.4458),
        ("dl19/run.splade", 0.7308),
        ("dl20/run.splade", 0.7197),
        ("dl21/run.splade", 0.6846),
        ("noveleval/run.shipped", 0.6503),
    ],
)
def test_published_figures(shared_data: Path, name: str, figure: float):
    path = shared_data / f"{name}.trec"
    run, qrels = read_run(path), read_qrels(path.parent / "qrels.trec")
    assert round(means(evaluate(run, qrels, ["ndcg@10"]))["ndcg@10"], 4) == figure
    by_measures = ir_measures.calc_aggregate(
        [ir_measures.nDCG @ 10], qrels, {qid: dict(docs) for qid, docs in run.items()}
    )
    assert round(by_measures[ir_measures.nDCG @ 10], 4) == figure


@pytest.mark.parametrize(
    ("name", "ndcg", "recall"),
    [
        ("trec-covid", 0.5947, 0.1091),
        ("nfcorpus", 0.3218, 0.2457),
        ("signal1m", 0.3304, 0.3703),
        ("trec-news", 0.3952, 0.4469),
        ("webis-touche2020", 0.4422, 0.5822),
        ("dbpedia-entity", 0.3180, 0.4682),
        ("scifact", 0.6789, 0.9253),
    ],
)
def test_published_figures_of_beir(shared_data: Path, name: str, ndcg: float, recall: float):
    folder = shared_data / "bm25-runs"
    frame = evaluate(
        read_run(folder / f"run.{name}.trec"),
        read_qrels(folder / f"qrels.{name}.trec"),
        ["ndcg@10", "recall@100"],
    )
    assert {metric: round(value, 4) for metric, value in means(frame).items()} == {
        "ndcg@10": ndcg,
        "recall@100": recall,
    }
    if name == "nfcorpus":
        assert frame["qid"].nunique() == 323  # the run has candidates for 308 of them


@pytest.mark.parametrize(
    "later", [{"d4": -2}, {"d4": -1}, {"d4": -1000, "d5": -3}, {"d9": -2}, {}, {"d4": -2, "d5": -1}]
)
def test_a_query_without_a_grade_above_minus_two_counts_as_0(later: dict[str, int]) -> None:
    """trec_eval crashes on such a query unless it is the first."""
    run = {"1": [("d2", 2.0)], "2": [("d4", 2.0), ("d5", 1.0)], "3": [("d2", 1.0)]}
    metrics = ["ndcg@10", "map", "rr", "recall@5", "precision@1", "map(rel=2)"]
    found = means(evaluate(run, {"1": {"d2": 1}, "2": later, "3": {"d2": 2}}, metrics))
    assert [found[name] for name in metrics] == pytest.approx([2 / 3] * 5 + [1 / 3])


def test_negative_grades_gain_nothing() -> None:
    run = {"q": [("a", 3.0), ("b", 2.0), ("c", 1.0)]}
    found = means(evaluate(run, {"q": {"a": -2, "b": 2, "c": -1}}, ["ndcg@3", "rr", "judged@3"]))
    assert found == pytest.approx({"ndcg@3": 1 / math.log2(3), "rr": 0.5, "judged@3": 1.0})


@pytest.mark.parametrize(
    ("level", "expected"), [(1, (0.4531, 0.8245, 0.2993)), (2, (0.4910, 0.7036, 0.2476))]
)
def test_relevance_levels_give_the_published_figures_of_trec_dl(
    shared_data: Path, level: int, expected: tuple[float, ...]
) -> None:
    """DL 2019, BM25: anserini's figures for grades of 2 and more (castorini/anserini#1525)."""
    run, qrels = (read_run(shared_data / "dl19/run.bm25.trec"), read_qrels(shared_data / "dl19/qrels.trec"))
    metrics = [{"name": name, "relevance_level": level} for name in ("recall@100", "rr", "map")]
    assert tuple(round(value, 4) for value in means(evaluate(run, qrels, metrics)).values()) == expected
