"""Pair mining: adjacent levels, hardness, the middle zone, and what never enters a pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import lists_frame, made_up_features

from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.settings import MassSettings, PairSettings
from headrank.training.pairs import mine_list, mine_pairs


def mine(
    grades: list[int], scores: list[float] | None = None, seed: int = 0, **changes: Any
) -> list[tuple[int, int]]:
    values = np.zeros(len(grades)) if scores is None else np.array(scores, dtype=float)
    rng = np.random.default_rng(seed)
    found = mine_list(np.array(grades, dtype=np.int64), values, PairSettings(**changes), rng)
    assert found.dtype == np.int64
    return [(int(better), int(worse)) for better, worse in found]


@pytest.mark.parametrize("strategy", ["adjacent-hard", "adjacent"])
def test_pairs_join_a_level_with_the_next_lower_one_that_is_present(strategy: Any):
    # Positions:      0  1  2  3   4  5
    pairs = mine([3, 0, 1, 3, -1, 1], strategy=strategy)
    assert sorted(pairs) == [(0, 2), (0, 5), (2, 1), (3, 2), (3, 5), (5, 1)]


def test_random_pairs_come_from_all_unequal_grades():
    assert sorted(mine([3, 0, 1, -1], strategy="random")) == [(0, 1), (0, 2), (2, 1)]


@pytest.mark.parametrize("strategy", ["adjacent-hard", "adjacent", "random"])
def test_the_unjudged_never_enter_a_pair(strategy: Any):
    rng = np.random.default_rng(3)
    for seed in range(10):
        grades = rng.integers(-1, 4, 25)
        for better, worse in mine(list(grades), list(rng.random(25)), seed=seed, strategy=strategy):
            assert grades[better] > grades[worse] >= 0
    assert mine([2, -1, -1, 2], strategy=strategy) == []
    assert mine([], strategy=strategy) == []


def test_the_hardest_pairs_come_first_inversions_before_all():
    scores = [5.0, 1.0, 4.0, 4.5, 7.0]
    grades = [1, 0, 0, 0, 1]
    # Margins: (0,1) 4, (0,2) 1, (0,3) .5, (4,1) 6, (4,2) 3, (4,3) 2.5
    assert mine(grades, scores, middle_share=0.0) == [(0, 3), (0, 2), (4, 3), (4, 2), (0, 1), (4, 1)]
    assert mine(grades, scores, middle_share=0.0, per_list=2) == [(0, 3), (0, 2)]
    inverted = [5.0, 1.0, 9.0, 4.5, 7.0]
    assert mine(grades, inverted, middle_share=0.0, per_list=3) == [(0, 2), (4, 2), (0, 3)]


def test_a_share_of_the_pairs_has_its_worse_document_in_the_middle():
    # One relevant document at position 0, forty of grade 0; the further back, the harder.
    grades = [1] + [0] * 39
    scores = [0.0, *np.linspace(-5, -1, 39)]
    hardest = mine(grades, scores, per_list=8, middle_share=0.0)
    assert [worse for _, worse in hardest] == list(range(39, 31, -1))
    half = mine(grades, scores, per_list=8, middle_share=0.5)
    # Prompt positions 11..30 from 1 are 10..29 from 0; hardest first throughout.
    assert [worse for _, worse in half] == [39, 38, 37, 36, 29, 28, 27, 26]
    assert [worse for _, worse in mine(grades, scores, per_list=3, middle_share=0.5)] == [39, 29, 28]
    everything = mine(grades, scores, per_list=4, middle_share=1.0, middle_zone=(2, 3))
    assert [worse for _, worse in everything] == [39, 38, 2, 1]  # only two stand in that zone


def test_the_zone_is_a_matter_of_the_worse_document():
    grades = [0] * 5 + [1] * 5
    pairs = mine(grades, [0.0] * 10, per_list=5, middle_share=1.0, middle_zone=(1, 1))
    assert all(worse == 0 for _, worse in pairs)


@pytest.mark.parametrize("strategy", ["adjacent-hard", "adjacent", "random"])
def test_at_most_per_list_pairs_and_none_twice(strategy: Any):
    grades = [i % 4 for i in range(40)]
    pairs = mine(grades, list(np.sin(range(40))), strategy=strategy)
    assert len(pairs) == len(set(pairs)) == 64


def test_random_strategies_are_seeded():
    grades = [i % 4 for i in range(40)]
    for strategy in ("adjacent", "random"):
        first = mine(grades, strategy=strategy, per_list=10)
        assert first == mine(grades, strategy=strategy, per_list=10)
        assert first != mine(grades, strategy=strategy, per_list=10, seed=1)
        # Scores play no part.
        assert first == mine(grades, list(np.cos(range(40))), strategy=strategy, per_list=10)


HEADS = HeadSet("headrank", "made-up", 2, 2, ((1, 0), (0, 1)), (1.0, 0.5))
MASSES = [[[9, 9, 9], [2, 1, 1], [6, 3, 1], [9, 9, 9]], [[9, 9, 9], [1, 1, 2], [1, 8, 1], [9, 9, 9]]]


def test_frozen_scores_and_margins():
    features, lists = made_up_features(MASSES, 2, 2), lists_frame([[0, 1, 2], [1, 0, -1]])
    pairs, base = mine_pairs(features, lists, HEADS, MassSettings(epsilon=0.0), "log-mean", PairSettings(), 0)
    # Shares of heads (1, 0) and (0, 1); f is the log of their mean.
    expected = np.log(
        [(0.6 + 0.5) / 2, (0.3 + 0.25) / 2, (0.1 + 0.25) / 2, (0.1 + 0.25) / 2, (0.8 + 0.25) / 2, 0.3]
    )
    np.testing.assert_allclose(base["score"], expected)
    assert base["list_id"].tolist() == [0, 0, 0, 1, 1, 1]
    assert base["position"].tolist() == [0, 1, 2, 0, 1, 2]
    assert pairs[["list_id", "better", "worse"]].to_numpy().tolist() == [[0, 1, 0], [0, 2, 1], [1, 0, 1]]
    scores = expected.reshape(2, 3)
    margins = [scores[0, 1] - scores[0, 0], scores[0, 2] - scores[0, 1], scores[1, 0] - scores[1, 1]]
    np.testing.assert_allclose(pairs["margin"], margins)


def test_mean_of_logs():
    features, lists = made_up_features(MASSES, 2, 2), lists_frame([[0, 1, 2], [1, 0, -1]])
    _, base = mine_pairs(features, lists, HEADS, MassSettings(epsilon=0.0), "mean-log", PairSettings(), 0)
    assert base["score"][0] == pytest.approx((np.log(0.6) + np.log(0.5)) / 2)


def test_lengths_and_epsilon_enter_the_frozen_scores():
    features = made_up_features([[[6, 3]]], 1, 1, lengths=[[4, 1]])
    heads = HeadSet("headrank", "made-up", 1, 1, ((0, 0),), (1.0,))
    mass = MassSettings(length_alpha=0.5, epsilon=1.0)
    _, base = mine_pairs(features, lists_frame([[1, 0]]), heads, mass, "log-mean", PairSettings(), 0)
    np.testing.assert_allclose(np.exp(base["score"]), [4 / 8, 4 / 8])


def test_what_cannot_be_mined_is_an_error():
    features = made_up_features(MASSES, 2, 2)
    with pytest.raises(InputError, match="no list has judged documents of two adjacent grades"):
        mine_pairs(features, lists_frame([[1, 1, -1]]), HEADS, MassSettings(), "log-mean", PairSettings(), 0)
    other = made_up_features(MASSES, 1, 4)
    with pytest.raises(InputError, match="head set of made-up does not fit the features of made-up"):
        mine_pairs(other, lists_frame([[1, 0, -1]]), HEADS, MassSettings(), "log-mean", PairSettings(), 0)
