"""Heads found on one collection and used on another: by hand, and never on a query that chose them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.heads.replay import StoredMasses
from headrank.heads.transfer import _half, transfer
from headrank.tables.transfer import transfer_table

# Ids of either half.
HALVES = {half: [f"q{i}" for i in range(40) if _half(f"q{i}") == half][:2] for half in (0, 1)}
QIDS = [*HALVES[0], *HALVES[1]]
DOCIDS = ["a", "b", "c"]
# Head 0 ranks the only relevant document first, head 1 second, head 2 last.
SHARES = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.1, 0.3, 0.6]])
SECOND = 1 / np.log2(3)


def benchmark(shares: dict[str, np.ndarray]) -> StoredMasses:
    queries = [(qid, DOCIDS, [0, 1, 2], [False] * 3) for qid in shares]
    return StoredMasses(queries, list(shares.values()), 1, 3, False)


def judged(docid: str) -> dict[str, dict[str, int]]:
    return {qid: {docid: 1, "b": 0} for qid in QIDS}


def values(*arguments: object) -> dict[tuple[str, str], float]:
    frame = transfer(*arguments)
    return frame.set_index(["source", "benchmark"])["value"].to_dict()


def test_heads_of_each_source_rank_each_target():
    stored = {"x": benchmark(dict.fromkeys(QIDS, SHARES)), "y": benchmark(dict.fromkeys(QIDS, SHARES[::-1]))}
    found = values(stored, {"x": judged("a"), "y": judged("a")}, 1)
    # On x head 0 is right, on y head 2; either is wrong on the other.
    assert found["x", "x"] == found["y", "y"] == 1
    assert found["x", "y"] == found["y", "x"] == pytest.approx(0.5)


def test_no_query_is_ranked_by_heads_that_were_chosen_on_it():
    # Head 0 is best on one half of the queries and worst on the other, so that what is chosen fails where it is judged.
    shares = {qid: SHARES if qid in HALVES[0] else SHARES[::-1] for qid in QIDS}
    found = values({"x": benchmark(shares)}, {"x": judged("a")}, 1)
    assert found["x", "x"] == pytest.approx(0.5)


def test_what_cannot_be_judged_has_no_row():
    one = benchmark({HALVES[0][0]: SHARES})
    many = benchmark(dict.fromkeys(QIDS, SHARES))
    qrels = {"one": {HALVES[0][0]: {"a": 1}}, "many": judged("a")}
    found = values({"one": one, "many": many}, qrels, 1)
    # Its only query would have to choose and to be judged.
    assert set(found) == {("one", "many"), ("many", "one"), ("many", "many")}
    frame = transfer({"one": one, "many": many}, qrels, 1).assign(backbone="m", count=1)
    table = transfer_table(frame, benchmarks=["one", "many"])
    assert [[cell.value for cell in row[2:]] for row in table.rows] == [[None, 1.0], [1.0, 1.0]]


def test_queries_without_relevant_candidates_choose_nothing():
    qrels = {"x": {qid: {"z": 1} for qid in QIDS}}
    assert transfer({"x": benchmark(dict.fromkeys(QIDS, SHARES))}, qrels, 1).empty


def test_what_is_ranked_is_judged_by_any_metric() -> None:
    stored = {"x": benchmark(dict.fromkeys(QIDS, SHARES)), "y": benchmark(dict.fromkeys(QIDS, SHARES[::-1]))}
    qrels = {"x": judged("a"), "y": judged("a")}
    found = values(stored, qrels, 1, "rr")
    assert (found["x", "x"], found["x", "y"]) == (1, pytest.approx(1 / 3))
    assert set(values(stored, qrels, 1, {"name": "rr", "relevance_level": 2}).values()) == {0}


def test_a_pair_given_twice_is_refused():
    row = {"backbone": "m", "source": "x", "benchmark": "x", "count": 1, "value": 0.5}
    with pytest.raises(InputError, match="transfer"):
        transfer_table(pd.DataFrame([row, row]))
