"""Reciprocal-rank fusion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrank.data.trec import Run
from headrank.errors import InputError
from headrank.evaluation.evaluate import evaluate
from headrank.retrieval.fusion import reciprocal_rank_fusion


def run(*docids: str) -> Run:
    return {"q": [(docid, float(-place)) for place, docid in enumerate(docids)]}


def order(fused: Run) -> list[str]:
    return [docid for docid, _ in fused["q"]]


def test_sums_of_reciprocal_ranks() -> None:
    fused = reciprocal_rank_fusion([run("a", "b", "c"), run("c", "a")], k=60)
    assert dict(fused["q"]) == pytest.approx({"a": 1 / 61 + 1 / 62, "b": 1 / 62, "c": 1 / 63 + 1 / 61})
    assert order(fused) == ["a", "c", "b"]


def test_the_first_run_breaks_ties() -> None:
    assert order(reciprocal_rank_fusion([run("a", "b"), run("b", "a")])) == ["a", "b"]
    assert order(reciprocal_rank_fusion([run("b", "a"), run("a", "b")])) == ["b", "a"]


def test_queries_and_documents_of_either_run_stay() -> None:
    fused = reciprocal_rank_fusion([{"q": [("a", 1.0)]}, {"r": [("b", 1.0)], "q": [("c", 1.0)]}])
    assert list(fused) == ["q", "r"]
    assert order(fused) == ["a", "c"]


def test_a_negative_constant_is_refused() -> None:
    with pytest.raises(InputError, match="k: -1 is negative"):
        reciprocal_rank_fusion([run("a")], k=-1)


@given(st.permutations(range(12)), st.permutations(range(12)))
def test_a_fused_run_is_a_run(first: list[int], second: list[int]) -> None:
    fused = reciprocal_rank_fusion([run(*map(str, first)), run(*map(str, second))])
    assert sorted(order(fused)) == sorted(map(str, range(12)))
    # Scores fall along the list, which evaluation insists on.
    assert len(evaluate(fused, {"q": {"3": 1}}, ["ndcg@10"])) == 1


@given(st.permutations(range(12)))
def test_a_run_fused_with_itself_keeps_its_order(docids: list[int]) -> None:
    given_run = run(*map(str, docids))
    assert order(reciprocal_rank_fusion([given_run, given_run])) == order(given_run)
