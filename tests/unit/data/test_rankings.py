"""From scores to a ranking: float32, ties, empty documents, and the run that it is written as."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrank.data.rankings import (
    COLUMNS,
    as_run,
    best_first,
    rank_documents,
    run_of,
    tied,
    with_rest,
)
from headrank.data.run_order import by_score
from headrank.data.trec import read_run, write_run

# Neighbours in float64 that are one number in float32.
CLOSE = [1.0, 1.0 + 1e-9, 1.0 - 1e-9]


def test_the_best_comes_first_and_equal_scores_keep_their_order():
    assert best_first([0.5, 2.0, -1.0, 2.0]) == [1, 3, 0, 2]
    assert best_first([]) == []
    assert best_first([0.0, -0.0, 0.0]) == [0, 1, 2]


def test_scores_are_compared_in_float32():
    assert best_first(CLOSE) == [0, 1, 2]
    assert best_first(CLOSE, ties=[2, 0, 1]) == [1, 2, 0]
    # Beyond float32 all are infinite, and no warning is given.
    assert best_first([1e300, 2e300, -1e300]) == [0, 1, 2]


def test_what_is_last_stands_behind_all_others_by_score_among_themselves():
    assert best_first([3.0, 1.0, 9.0, 2.0], last=[True, False, True, False]) == [3, 1, 2, 0]


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_reading_a_run_orders_by_the_same_rule(scores: list[float]) -> None:
    """trec_eval: float32, then document ids from last to first."""
    ids = [f"d{i:02}" for i in range(len(scores))]
    expected = sorted(ids, key=lambda d: (np.float32(scores[ids.index(d)]), d), reverse=True)
    assert [docid for docid, _ in by_score(dict(zip(ids, scores, strict=True)))] == expected
    backwards = list(range(len(scores)))[::-1]
    assert [ids[i] for i in best_first(scores, ties=backwards)] == expected


def test_a_ranking_has_every_document_with_its_position_and_its_rank_from_0():
    # Prompt positions 0..3 hold the first stage's third, first, fourth and second document.
    ranked = rank_documents(
        ["a", "b", "c", "d"], [0.5, 0.5, 0.9, 0.7], [2, 0, 3, 1], [False, False, True, False]
    )
    assert ranked == [
        ("d", 3, 0.7, 0, False),
        ("b", 1, 0.5, 1, False),
        ("a", 0, 0.5, 2, False),
        ("c", 2, 0.9, 3, True),
    ]


def test_ties_are_broken_by_position_where_there_is_no_first_stage():
    assert [row[0] for row in rank_documents(["a", "b", "c"], [0.5, 0.7, 0.5])] == ["b", "a", "c"]


def test_the_scores_of_a_run_never_rise():
    ranked = rank_documents(["a", "b", "c", "d"], [0.7, 0.9, 0.2, 0.5], empty=[False, True, False, True])
    assert run_of(ranked) == [("a", 0.7), ("c", 0.2), ("b", 0.2), ("d", 0.2)]
    ranked = rank_documents(["a", "b", "c"], [math.nan, 0.5, 0.7])
    assert [docid for docid, score in run_of(ranked) if math.isnan(score)] == ["a"]
    # One number in float32, where the second stands first by the first stage.
    close = rank_documents(["a", "b"], CLOSE[:2], first_stage=[0, 1])
    assert run_of(close) == [("a", 1.0), ("b", 1.0)]


def test_a_frame_of_rankings_is_a_run_best_first(tmp_path: Path):
    rows = [
        ("b", "x", 0, 0.5, 1, False, 9, 1),
        ("b", "y", 1, 0.7, 0, False, 9, 1),
        ("a", "z", 0, 0.1, 0, False, 9, 1),
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    assert as_run(frame) == {"b": [("y", 0.7), ("x", 0.5)], "a": [("z", 0.1)]}


@pytest.mark.parametrize("scores", [CLOSE, [0.25, 0.5, 0.25], [0.0, 0.0, 0.0]])
def test_the_file_of_a_run_is_read_in_the_ranking_s_order_and_counts_from_1(
    tmp_path: Path, scores: list[float]
):
    ranked = rank_documents(["a", "b", "c"], scores, [2, 0, 1], [False, False, True])
    frame = pd.DataFrame([("q", *row, 9, 1) for row in ranked], columns=COLUMNS)
    write_run(tmp_path / "run.trec", as_run(frame), "tag")
    lines = (tmp_path / "run.trec").read_text().splitlines()
    assert [line.split()[2:4] for line in lines] == [
        [docid, str(i + 1)] for i, (docid, *_) in enumerate(ranked)
    ]
    assert [docid for docid, _ in read_run(tmp_path / "run.trec")["q"]] == [docid for docid, *_ in ranked]


def test_candidates_that_were_not_ranked_follow_in_their_order(tmp_path: Path) -> None:
    candidates = {"q": [("a", 9.0), ("b", 8.0), ("c", 7.0), ("d", 6.0)], "other": [("x", 1.0)]}
    whole = with_rest({"q": [("b", 0.5), ("a", -2.0)]}, candidates)
    assert [docid for docid, _ in whole["q"]] == ["b", "a", "c", "d"]
    assert list(whole) == ["q"]
    write_run(tmp_path / "run.trec", whole, "t")
    assert [docid for docid, _ in read_run(tmp_path / "run.trec")["q"]] == ["b", "a", "c", "d"]
    assert with_rest({"q": [("b", 0.5)], "new": []}, {}) == {"q": [("b", 0.5)], "new": []}


def test_queries_whose_scores_say_nothing_are_found() -> None:
    rows = [
        *(("same", f"d{i}", i, 0.25 + 1e-12 * i, i, False, 9, 1) for i in range(3)),
        *(("apart", f"d{i}", i, float(i == 2), i, False, 9, 1) for i in range(3)),
        ("alone", "d0", 0, 1.0, 0, False, 9, 1),
        # A passage without text has a score of its own, which orders nothing.
        *(("empty", f"d{i}", i, float(i == 2), i, i == 2, 9, 1) for i in range(3)),
    ]
    assert tied(pd.DataFrame(rows, columns=COLUMNS)) == ["same", "empty"]
    assert tied(pd.DataFrame([], columns=COLUMNS)) == []
