"""Metrics of a whole study: first stage, bounds and runs in one frame, each metric under its title."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headrank.evaluation.per_query import only, per_query

FIRST = {"x": {"q": [("a", 3.0), ("b", 2.0), ("c", 1.0)]}, "y": {"q": [("d", 1.0)]}}
QRELS = {"x": {"q": {"a": 0, "b": 1, "c": 2}, "p": {"z": 1}}, "y": {"q": {"d": 1}}}
RUNS = [
    (("m", "x", "core"), {"q": [("c", 2.0), ("b", 1.0)]}),
    (("m", "y", "core"), {"q": [("d", 1.0)]}),
]
METRICS = ["ndcg@2", {"name": "rr@2", "relevance_level": 2}]
SECOND = 1 / np.log2(3)


def frame() -> pd.DataFrame:
    reranked = {"x": {"q": FIRST["x"]["q"][:2]}}
    return per_query(FIRST, reranked, RUNS, QRELS, METRICS)


def test_every_cell_has_a_row_per_judged_query_and_metric() -> None:
    found = frame()
    assert list(found.columns) == ["backbone", "benchmark", "method", "qid", "metric", "value"]
    cells = list(dict.fromkeys(zip(*(found[c] for c in ("backbone", "benchmark", "method")), strict=True)))
    # Bounds are told of the benchmark whose reranked part is given.
    assert cells == [
        *(("", "x", "bm25"), ("", "x", "random-order"), ("", "x", "best-order"), ("", "y", "bm25")),
        *(("m", "x", "core"), ("m", "y", "core")),
    ]
    assert len(found[found["benchmark"] == "x"]) == 4 * 2 * 2
    assert len(found[found["benchmark"] == "y"]) == 2 * 1 * 2


def test_values_by_hand() -> None:
    values = frame().set_index(["benchmark", "method", "qid", "metric"])["value"]
    ideal = 2 + 1 * SECOND
    assert values["x", "core", "q", "nDCG@2"] == pytest.approx(1)
    assert values["x", "core", "q", "RR(rel=2)@2"] == 1
    assert values["x", "bm25", "q", "RR(rel=2)@2"] == 0
    # Of the two that are reranked, b is the better one and c is not there.
    assert values["x", "best-order", "q", "nDCG@2"] == pytest.approx(1 / ideal)
    assert values["x", "random-order", "q", "nDCG@2"] == pytest.approx((1 + SECOND) / 2 / ideal)
    assert values["x", "best-order", "q", "RR(rel=2)@2"] == 0
    assert (values.xs("p", level="qid") == 0).all()


def test_one_metric_is_taken_out_by_its_name() -> None:
    found = frame()
    for entry, title in (("ndcg@2", "nDCG@2"), (METRICS[1], "RR(rel=2)@2")):
        part = only(found, entry)
        assert set(part["metric"]) == {title}
        assert len(part) == len(found) / 2
    assert only(found, "map").empty


@pytest.mark.parametrize(("metric", "bounded"), [("ndcg@2", True), ("ndcg@3", False), ("map", False)])
def test_metrics_that_reach_beyond_what_is_reranked_have_no_bounds(metric: str, bounded: bool) -> None:
    """The third candidate follows behind the two that are reranked: no order of the two is a bound on its own."""
    reranked = {"x": {"q": FIRST["x"]["q"][:2]}}
    methods = set(per_query(FIRST, reranked, RUNS, QRELS, [metric])["method"])
    assert ("best-order" in methods) is bounded
    everything = per_query(FIRST, {"x": FIRST["x"]}, RUNS, QRELS, [metric])
    assert "best-order" in set(everything["method"])
