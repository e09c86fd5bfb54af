"""Evaluation: by hand on small cases, against a second implementation, and against published figures."""

from __future__ import annotations

import math
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrank.data.trec import read_qrels, read_run
from headrank.errors import InputError
from headrank.evaluation.metrics import evaluate, means

ALL = ["ndcg@10", "ndcg@3", "recall@2", "precision@2", "map", "rr", "rr@1", "judged@2"]


def one(documents: str, grades: dict[str, int], metric: str, level: int = 1) -> float:
    run = {"q": [(d, float(-i)) for i, d in enumerate(documents)]}
    return means(evaluate(run, {"q": grades}, [metric], relevance_level=level))[metric]


def test_by_hand():
    grades = {"a": 3, "b": 0, "c": 1, "d": 2, "z": -1}
    discount = [1 / math.log2(rank + 1) for rank in range(1, 5)]
    gained = 1 * discount[0] + 3 * discount[2]  # order c, x (unjudged), a, b: linear gains
    ideal = 3 * discount[0] + 2 * discount[1] + 1 * discount[2]
    assert one("cxab", grades, "ndcg@10") == pytest.approx(gained / ideal)
    assert one("cxab", grades, "ndcg@2") == pytest.approx(discount[0] / (3 * discount[0] + 2 * discount[1]))
    assert one("cxab", grades, "recall@2") == pytest.approx(1 / 3)
    assert one("cxab", grades, "recall@3", level=2) == pytest.approx(1 / 2)
    assert one("cxab", grades, "precision@4") == pytest.approx(2 / 4)
    assert one("cxab", grades, "map") == pytest.approx((1 / 1 + 2 / 3) / 3)
    assert one("cxab", grades, "map", level=2) == pytest.approx((1 / 3) / 2)
    assert one("cxab", grades, "rr") == 1
    assert one("cxab", grades, "rr", level=2) == pytest.approx(1 / 3)
    assert one("cxab", grades, "rr@3", level=2) == pytest.approx(1 / 3)
    assert one("cxab", grades, "rr@2", level=2) == 0
    assert one("cxab", grades, "judged@2") == pytest.approx(1 / 2)
    assert one("cxab", grades, "judged@10") == pytest.approx(3 / 4)
    assert one("zc", grades, "ndcg@10") == pytest.approx(
        discount[1] / ideal
    )  # a negative grade gains nothing


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


@pytest.mark.parametrize("metric", ["ndcg", "ndcg@0", "ndcg@ten", "map@10", "recall", "nDCG@10", "f1", ""])
def test_unknown_metrics(metric):
    with pytest.raises(InputError, match="is not known; use ndcg@K"):
        evaluate({"q": [("d", 1.0)]}, {"q": {"d": 1}}, [metric])


def test_nothing_to_evaluate():
    with pytest.raises(InputError, match="metrics"):
        evaluate({"q": [("d", 1.0)]}, {"q": {"d": 1}}, [])
    with pytest.raises(InputError, match="relevance_level: 0"):
        evaluate({"q": [("d", 1.0)]}, {"q": {"d": 1}}, ["rr"], relevance_level=0)


# --- a second implementation -------------------------------------------------------------------------------------


def plain_metrics(order: list[str], grades: dict[str, int], level: int) -> dict[str, float]:
    """The definitions written out once more, without trec_eval."""
    relevant = {d for d, g in grades.items() if g >= level}
    hits = [d in relevant for d in order]

    def dcg(gains: list[int], k: int) -> float:
        return sum(max(gain, 0) / math.log2(i + 2) for i, gain in enumerate(gains[:k]))

    def ndcg(k: int) -> float:
        ideal = dcg(sorted(grades.values(), reverse=True), k)
        return dcg([grades.get(d, 0) for d in order], k) / ideal if ideal else 0.0

    precisions = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
    first = hits.index(True) + 1 if any(hits) else math.inf
    return {
        "ndcg@10": ndcg(10),
        "ndcg@3": ndcg(3),
        "recall@2": sum(hits[:2]) / len(relevant) if relevant else 0.0,
        "precision@2": sum(hits[:2]) / 2,
        "map": sum(precisions) / len(relevant) if relevant else 0.0,
        "rr": 1 / first,
        "rr@1": float(first == 1),
        "judged@2": sum(d in grades for d in order[:2]) / len(order[:2]),
    }


letters = st.sampled_from("abcdefghijkl")


@settings(max_examples=150)
@given(
    order=st.lists(letters, unique=True, min_size=1, max_size=12),
    grades=st.dictionaries(letters, st.integers(-1, 3), min_size=1, max_size=10),
    level=st.integers(1, 2),
)
def test_against_the_definitions(order, grades, level):
    run = {"q": [(d, 0.5 - i) for i, d in enumerate(order)]}
    found = means(evaluate(run, {"q": grades}, ALL, relevance_level=level))
    assert found == pytest.approx(plain_metrics(order, grades, level), abs=1e-6)


def test_against_ir_measures():
    """Means over judged queries with relevance levels, as the field's common front end computes them."""
    rng = np.random.default_rng(3)
    run, qrels = {}, {}
    for q in range(30):
        docs = [f"d{i}" for i in rng.permutation(40)]
        if q % 5:
            run[f"q{q}"] = [(d, float(40 - i)) for i, d in enumerate(docs[:20])]
        qrels[f"q{q}"] = {d: int(rng.integers(0, 4)) for d in rng.permutation(docs)[:15]}
    names = {
        "ndcg@10": "nDCG@10",
        "recall@5": "R(rel=2)@5",
        "precision@7": "P(rel=2)@7",
        "map": "AP(rel=2)",
        "rr": "RR(rel=2)",
        "rr@3": "RR(rel=2)@3",
        "judged@10": "Judged@10",
    }
    found = means(evaluate(run, qrels, list(names), relevance_level=2))
    parsed = {name: ir_measures.parse_measure(theirs) for name, theirs in names.items()}
    second = ir_measures.calc_aggregate(parsed.values(), qrels, {q: dict(d) for q, d in run.items()})
    assert found == pytest.approx({name: second[measure] for name, measure in parsed.items()}, abs=1e-6)


# --- published figures -------------------------------------------------------------------------------------------


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
