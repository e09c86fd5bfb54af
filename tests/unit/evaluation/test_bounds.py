"""Bounds of a reranking: against every order of the candidates, evaluated as runs are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from headrank.errors import InputError
from headrank.evaluation.bounds import BEST_ORDER, RANDOM_ORDER, ndcg_bounds
from headrank.evaluation.metrics import evaluate

QRELS = {"q1": {"a": 3, "b": 0, "c": 1, "e": 2, "f": -1}, "q2": {"a": 1, "x": 2}, "q3": {"a": 0}}
CANDIDATES = {"q1": ["a", "b", "c", "d", "f"], "q2": ["y", "a"], "q3": ["a", "b"]}


def values(cutoff: int, method: str) -> dict[str, float]:
    frame = ndcg_bounds(CANDIDATES, QRELS, cutoff)
    return frame[frame["method"] == method].set_index("qid")["value"].to_dict()


@pytest.mark.parametrize("cutoff", [1, 3, 10])
def test_mean_and_maximum_of_all_orders(cutoff: int):
    for qid, documents in CANDIDATES.items():
        found = []
        for order in itertools.permutations(documents):
            run = {qid: [(docid, -float(i)) for i, docid in enumerate(order)]}
            found.append(float(evaluate(run, {qid: QRELS[qid]}, [f"ndcg@{cutoff}"])["value"].iloc[0]))
        assert values(cutoff, RANDOM_ORDER)[qid] == pytest.approx(np.mean(found), abs=1e-12)
        assert values(cutoff, BEST_ORDER)[qid] == pytest.approx(max(found), abs=1e-12)


def test_queries_without_candidates_count_as_nought():
    frame = ndcg_bounds({}, QRELS, 10)
    assert (frame["value"] == 0).all()
    assert len(frame) == 2 * len(QRELS)


def test_a_cutoff_below_one_is_refused():
    with pytest.raises(InputError, match="cutoff: 0"):
        ndcg_bounds(CANDIDATES, QRELS, 0)
