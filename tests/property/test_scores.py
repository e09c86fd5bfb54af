"""Properties of scores and rankings on random masses."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import lists_frame, made_up_features

from headrank.data.training_lists import by_list
from headrank.engine.list_scores import list_shares
from headrank.engine.scoring import document_index, score_tokens
from headrank.heads.criteria import adjacent_auc, contrast
from headrank.settings import PairSettings
from headrank.training.pairs import mine_list

LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=8)
GRADES = st.lists(st.integers(-1, 3), min_size=1, max_size=30)


def spans_of(lengths: list[int]) -> tuple[list[tuple[int, int]], int]:
    spans, place = [], 1
    for length in lengths:
        spans.append((place, place + length))
        place += length + 1
    return spans, place


@settings(deadline=None)
@given(lengths=LENGTHS, seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e3))
def test_scores_scale_and_do_not_depend_on_other_documents(
    lengths: list[int], seed: int, scale: float
) -> None:
    spans, size = spans_of(lengths)
    tokens = torch.from_numpy(np.random.default_rng(seed).normal(size=size))
    index = document_index(spans, size)
    for mask in (False, True):
        scores = score_tokens(tokens, index, len(spans), mask)
        scaled = score_tokens(tokens * scale, index, len(spans), mask)
        np.testing.assert_allclose(scaled, scores * scale, rtol=1e-6, atol=1e-9 * scale)
        for i, (start, stop) in enumerate(spans):
            alone = score_tokens(
                tokens[start:stop], document_index([(0, stop - start)], stop - start), 1, mask
            )
            np.testing.assert_allclose(alone[0], scores[i], rtol=1e-9, atol=1e-12)


@given(masses=st.lists(st.floats(-10, 10), min_size=1, max_size=40), epsilon=st.floats(1e-9, 1))
def test_shares_are_a_distribution_in_the_order_of_the_masses(masses: list[float], epsilon: float) -> None:
    values = torch.tensor(masses, dtype=torch.float64)
    shares = list_shares(values, epsilon)
    assert (shares > 0).all()
    assert abs(shares.sum().item() - 1) < 1e-9
    assert (shares[values.argsort()].diff() >= -1e-15).all()


@given(
    grades=GRADES,
    seed=st.integers(0, 1000),
    strategy=st.sampled_from(["adjacent-hard", "adjacent", "random"]),
)
def test_pairs_are_valid_for_any_list(grades: list[int], seed: int, strategy: Any) -> None:
    scores = np.random.default_rng(seed).normal(size=len(grades))
    chosen = PairSettings(strategy=strategy, per_list=9)
    pairs = mine_list(np.array(grades), scores, chosen, np.random.default_rng(seed))
    levels = sorted({g for g in grades if g >= 0})
    assert len(pairs) <= 9
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)
    for better, worse in pairs:
        assert grades[better] > grades[worse] >= 0
        if strategy != "random":
            assert levels.index(grades[better]) == levels.index(grades[worse]) + 1
    possible = len(levels) >= 2
    assert bool(len(pairs)) == possible


@given(grades=GRADES, seed=st.integers(0, 1000))
def test_auc_does_not_see_monotone_changes_and_mirrors(grades: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(1, len(grades)))
    judged = np.array(grades)
    auc = adjacent_auc(values, judged)
    np.testing.assert_allclose(adjacent_auc(np.exp(values / 3), judged), auc)
    np.testing.assert_allclose(adjacent_auc(-values, judged), 1 - auc)
    values[:, judged < 0] += 100  # unjudged documents may do what they will
    np.testing.assert_array_equal(adjacent_auc(values, judged), auc)


@given(
    positive=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    negative=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    temperature=st.sampled_from([1e-3, 1e-2, 0.1, 1.0]),
)
def test_contrast_is_a_probability_that_grows_with_the_positive(
    positive: list[float], negative: list[float], temperature: float
) -> None:
    p, n = np.array([positive]), np.array([negative])
    value = contrast(p, n, temperature)[0]
    assert 0 <= value <= 1
    assert contrast(p + 0.1, n, temperature)[0] >= value - 1e-12
    assert contrast(p, n + 0.1, temperature)[0] <= value + 1e-12


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_lists_and_features_keep_their_rows(sizes: list[int]) -> None:
    lists = lists_frame([[0] * size for size in sizes])
    parts = by_list(lists)
    assert [len(part) for part in parts.values()] == sizes
    features = made_up_features(np.arange(2 * len(sizes)).reshape(-1, 2, 1), 1, 2)
    for i in range(len(sizes)):
        assert features.masses("headrank", features.rows([str(i)])[0], 1).tolist() == [[2 * i], [2 * i + 1]]
