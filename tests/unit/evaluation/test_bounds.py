"""Bounds of a reranking: against every order of the candidates, evaluated as runs are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from headrank.evaluation.bounds import BEST_ORDER, RANDOM_ORDER, bounds
from headrank.evaluation.evaluate import evaluate

QRELS = {
    "q1": {"a": 3, "b": 0, "c": 1, "e": 2, "f": -1},
    "q2": {"a": 1, "x": 2},
    "q3": {"a": 0},
    "q4": {"a": 2, "b": 1, "c": 2, "d": 3, "e": 1},
    "q5": {"a": 2},
}
CANDIDATES = {
    "q1": ["a", "b", "c", "d", "f"],
    "q2": ["y", "a"],
    "q3": ["a", "b"],
    "q4": ["a", "b", "c", "d", "e", "y"],
    "q5": ["a"],
}
METRICS = [
    *("ndcg@1", "ndcg@3", "ndcg@10", "recall@2", "recall(rel=2)@10", "precision@3", "precision(rel=2)@10"),
    *("map", "map(rel=2)", "rr", "rr@2", "rr(rel=2)@3", "judged@2", "judged@10"),
]


@pytest.mark.parametrize("metric", METRICS)
def test_mean_and_maximum_of_all_orders(metric: str) -> None:
    frame = bounds(CANDIDATES, QRELS, [metric])
    told = {method: part.set_index("qid")["value"].to_dict() for method, part in frame.groupby("method")}
    for qid, documents in CANDIDATES.items():
        found = []
        for order in itertools.permutations(documents):
            run = {qid: [(docid, -float(i)) for i, docid in enumerate(order)]}
            found.append(float(evaluate(run, {qid: QRELS[qid]}, [metric])["value"].iloc[0]))
        assert told[RANDOM_ORDER][qid] == pytest.approx(np.mean(found), abs=1e-12)
        assert told[BEST_ORDER][qid] == pytest.approx(max(found), abs=1e-12)


def test_queries_without_candidates_count_as_nought() -> None:
    frame = bounds({}, QRELS, ["ndcg@10", "rr"])
    assert (frame["value"] == 0).all()
    assert len(frame) == 2 * 2 * len(QRELS)
    assert set(frame["metric"]) == {"ndcg@10", "rr"}
