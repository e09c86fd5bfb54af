"""HeadRank's head selection with each of its alternatives, on made-up masses."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support import choose_heads, lists_frame, made_up_features

from headrank.errors import InputError, UsageError
from headrank.heads.criteria import (
    adjacent_auc,
    adjacent_contrast,
    adjacent_levels,
    contrast,
    ndcg_of_heads,
    normalised_entropy,
)
from headrank.heads.head_set import HeadSet
from headrank.heads.selection import check_count, select_headrank
from headrank.settings import MassSettings, SelectionSettings

MASS = MassSettings()


def select(
    features: Any, lists: Any, mass: MassSettings = MASS, layers: int | None = None, **changes: Any
) -> HeadSet:
    return select_headrank(features, lists, SelectionSettings(**changes), mass, layers)


def grades_array(*grades: int) -> np.ndarray:
    return np.array(grades, dtype=np.int64)


# --- statistics ---


def naive_auc(values: np.ndarray, grades: np.ndarray) -> float:
    levels = sorted({int(g) for g in grades if g >= 0}, reverse=True)
    parts = []
    for high, low in pairwise(levels):
        wins = [
            1.0 if values[i] > values[j] else 0.5 if values[i] == values[j] else 0.0
            for i in np.flatnonzero(grades == high)
            for j in np.flatnonzero(grades == low)
        ]
        parts.append(sum(wins) / len(wins))
    return sum(parts) / len(parts)


def test_auc_between_adjacent_levels():
    rng = np.random.default_rng(0)
    for _ in range(20):
        grades = rng.integers(-1, 4, 15)
        values = rng.integers(0, 6, (4, 15)).astype(float)  # many ties
        if len(adjacent_levels(grades)) == 0:
            continue
        expected = [naive_auc(row, grades) for row in values]
        np.testing.assert_allclose(adjacent_auc(values, grades), expected, rtol=1e-12)


def test_levels_are_those_present_and_never_the_unjudged():
    assert adjacent_levels(grades_array(3, -1, 0, 3, 1)) == [(3, 1), (1, 0)]
    assert adjacent_levels(grades_array(-1, 2, -1)) == []
    assert np.isnan(adjacent_auc(np.ones((2, 3)), grades_array(-1, 2, 2))).all()
    values = np.array([[3.0, 2.0, 1.0, 99.0]])
    assert adjacent_auc(values, grades_array(2, 1, 0, -1))[0] == 1
    assert adjacent_contrast(values, grades_array(2, 1, 0, -1), 0.1)[0] > 0.99


def test_far_levels_do_not_count():
    """Grade 0 above grade 1 is one inversion of two adjacent levels; that 2 stands below 0 adds nothing to it."""
    values = np.array([[2.0, 1.0, 3.0]])
    assert adjacent_auc(values, grades_array(2, 1, 0))[0] == 0.5


def naive_contrast(positive: list[float], negative: list[float], t: float) -> float:
    parts = []
    for p in positive:
        # 1 / (1 + sum exp((n - p) / t)): infinite terms give 0
        total = math.fsum(math.exp(min((n - p) / t, 700)) for n in negative)
        parts.append(1 / (1 + total))
    return sum(parts) / len(parts)


@pytest.mark.parametrize("temperature", [0.001, 0.1, 1.0])
def test_contrast(temperature: float):
    rng = np.random.default_rng(1)
    positive, negative = rng.random((5, 3)) / 10, rng.random((5, 7)) / 10
    expected = [
        naive_contrast(list(p), list(n), temperature) for p, n in zip(positive, negative, strict=True)
    ]
    np.testing.assert_allclose(contrast(positive, negative, temperature), expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [
        ([0.9], [0.1, 0.0], 1.0),
        ([0.0], [0.9, 0.1], 0.0),
        # One positive far below the other, and still far above every negative.
        ([1.0, 0.1], [0.01, 0.02], 1.0),
        ([1.0, 0.1], [0.5, 0.02], 0.5),
        ([0.5], [0.5], 0.5),
    ],
)
def test_contrast_at_a_low_temperature_neither_overflows_nor_underflows(
    positive: list[float], negative: list[float], expected: float
):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = contrast(np.array([positive]), np.array([negative]), 0.001)
    assert found[0] == pytest.approx(expected, abs=1e-12)


def test_adjacent_contrast_uses_the_next_level_only():
    values = np.array([[0.3, 0.2, 0.9]])
    expected = (naive_contrast([0.3], [0.2], 0.1) + naive_contrast([0.2], [0.9], 0.1)) / 2
    assert adjacent_contrast(values, grades_array(2, 1, 0), 0.1)[0] == pytest.approx(expected)


def test_entropy_lies_between_its_bounds():
    shares = np.array([[0.25] * 4, [1.0, 0, 0, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(normalised_entropy(shares), [1, 0, 0.5], atol=1e-12)
    assert normalised_entropy(np.ones((2, 1))).tolist() == [0, 0]


def test_ndcg_of_single_heads():
    grades = grades_array(0, 2, -1, 1)
    values = np.array([[1.0, 4.0, 2.0, 3.0], [4.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    best = 2 + 1 / math.log2(3)
    worst = 1 / math.log2(4) + 2 / math.log2(5)
    tied = 2 / math.log2(3) + 1 / math.log2(5)  # ties stay in prompt order
    np.testing.assert_allclose(ndcg_of_heads(values, grades), [1, worst / best, tied / best])
    assert np.isnan(ndcg_of_heads(values, grades_array(0, 0, -1, 0))).all()


# --- HeadRank's criterion ---

GRADES = [3, 1, 0, 2, 0, -1, 1, 0]


def planted(n_lists: int = 12, heads: int = 12, good: int = 7, seed: int = 0, noise: float = 0.3) -> Any:
    """Masses in which one head follows the grades and the others follow nothing."""
    rng = np.random.default_rng(seed)
    grades = [rng.permutation(GRADES) for _ in range(n_lists)]
    masses = rng.random((n_lists, heads, len(GRADES)))
    for i, row in enumerate(grades):
        masses[i, good] = np.exp(row + noise * rng.random(len(row)))
    return made_up_features(masses, 3, heads // 3), lists_frame(grades)


def test_a_planted_head_is_found():
    features, lists = planted()
    found = select(features, lists, k=4)
    assert found.heads[0] == (1, 3)
    assert found.statistics["discrimination"][7] == 1
    assert found.scores[0] == pytest.approx(1 - 0.2 * found.statistics["entropy"][7])
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert (found.method, found.model, found.n_layers, found.n_heads) == ("headrank", "made-up", 3, 4)
    assert len(found.heads) <= 4
    assert all(found.statistics["discrimination"][layer * 4 + head] > 0.5 for layer, head in found.heads)


def test_ratios_find_a_head_beneath_its_habit_of_place():
    rng = np.random.default_rng(3)
    grades = rng.integers(0, 3, (40, 12))
    # Both heads heap their mass on the first places; only head 1 adds a little for relevance.
    habit = np.exp(-np.arange(12))
    noise = np.exp(rng.normal(0, 0.05, (40, 2, 12)))
    null = np.broadcast_to(habit, (40, 2, 12)) * noise
    masses = np.stack([habit * np.ones((40, 12)), habit * (1 + 0.2 * grades)], axis=1) * noise
    features = made_up_features(masses, 2, 1, null=null)
    lists = lists_frame(grades)
    raw = select(features, lists, k=1)
    ratio = select(features, lists, MassSettings(calibration="ratio"), k=1)
    assert ratio.heads == ((1, 0),)
    found, hidden = (chosen.statistics["discrimination"][1] for chosen in (ratio, raw))
    assert found > 0.99 > 0.6 > hidden
    without = dataclasses.replace(features, values={k: v for k, v in features.values.items() if k != "null"})
    with pytest.raises(InputError, match="features of made-up: no masses 'null'; make them again"):
        select(without, lists, MassSettings(calibration="ratio"), k=1)


def test_statistics_are_means_over_queries_of_means_over_their_lists():
    rng = np.random.default_rng(5)
    masses = rng.random((3, 3, 8))
    lists = lists_frame([GRADES] * 3, qids=["a", "a", "b"])
    found = select(made_up_features(masses, 1, 3), lists, min_discrimination=0.0, k=3, permutations=2)
    masses = masses.astype(np.float32).astype(float)
    auc = np.array([[naive_auc(masses[i, h], np.array(GRADES)) for h in range(3)] for i in range(3)])
    share = masses / masses.sum(2, keepdims=True)
    entropy = -(share * np.log(share)).sum(2) / math.log(8)
    expected = (auc[:2].mean(0) + auc[2]) / 2
    np.testing.assert_allclose(found.statistics["discrimination"], expected, rtol=1e-12)
    np.testing.assert_allclose(found.statistics["entropy"], (entropy[:2].mean(0) + entropy[2]) / 2, atol=1e-5)
    score = np.array(found.statistics["selection"])
    np.testing.assert_allclose(
        score, 2 * expected - 1 - 0.2 * np.array(found.statistics["entropy"]), rtol=1e-12
    )


def test_the_entropy_weight_flips_the_choice():
    """Head 0 orders perfectly and spreads its mass; head 1 errs once and is peaked."""
    flat, peaked = [1.03, 1.02, 1.01, 1.0], [900.0, 1.0, 1.1, 0.01]
    features = made_up_features([[flat, peaked]], 1, 2)
    lists = lists_frame([[3, 2, 1, 0]])
    assert select(features, lists, k=1, entropy_weight=0.0).heads == ((0, 0),)
    assert select(features, lists, k=1, entropy_weight=1.0).heads == ((0, 1),)
    assert select(features, lists, k=1, combine="multiplicative").heads == ((0, 1),)


def test_multiplicative_combination():
    features, lists = planted()
    found = select(features, lists, combine="multiplicative", k=2)
    disc, entropy = (np.array(found.statistics[name]) for name in ("discrimination", "entropy"))
    np.testing.assert_allclose(found.statistics["selection"], disc * (1 - entropy), rtol=1e-12)


def test_token_entropy_takes_the_place_of_list_entropy():
    features, lists = planted(n_lists=4)
    stored = np.random.default_rng(2).random((4, 12)).astype(np.float32)
    values = {**features.values, "token_entropy": stored}
    features = type(features)("made-up", 3, 4, features.ids, values)
    found = select(features, lists, entropy="token", k=2)
    np.testing.assert_allclose(found.statistics["entropy"], stored.mean(0), rtol=1e-6)


def test_core_statistic_in_place_of_auc():
    features, lists = planted(n_lists=4)
    found = select(features, lists, statistic="core", core_temperature=0.5, min_discrimination=0.0, k=1)
    assert found.heads == ((1, 3),)
    expected = np.mean(
        [
            adjacent_contrast(features.values["headrank"][i].astype(float), group["grade"].to_numpy(), 0.5)
            for i, (_, group) in enumerate(lists.groupby("list_id"))
        ],
        axis=0,
    )
    np.testing.assert_allclose(found.statistics["discrimination"], expected, rtol=1e-9)


def test_unstable_heads_can_be_dropped():
    """Head 0 is right for every second query only; head 1 is middling for all of them."""
    right, wrong, middling = [3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0], [3.0, 1.0, 2.0, 0.0]
    masses = [[right if i % 5 else wrong, middling] for i in range(20)]
    features, lists = (
        made_up_features(masses, 1, 2),
        lists_frame([[3, 2, 1, 0]] * 20, qids=[f"q{i:02}" for i in range(20)]),
    )
    free = select(features, lists, k=2, entropy_weight=0.0)
    assert free.heads == ((0, 0), (0, 1))
    np.testing.assert_allclose(free.statistics["fold_std"], [0.4, 0], atol=1e-12)
    assert select(features, lists, k=2, stability_std=0.1).heads == ((0, 1),)


def test_positions_are_taken_out_of_the_reported_entropy():
    """A head that always reads the first position has low entropy and, its habit taken out, the highest."""
    masses = [
        [[100.0, 1, 1, 1], row] for row in ([1.0, 9, 1, 1], [9.0, 1, 1, 1], [1, 1, 1, 9.0], [1, 1, 9.0, 1])
    ]
    found = select(
        made_up_features(masses, 1, 2), lists_frame([[3, 2, 1, 0]] * 4), k=2, min_discrimination=-1.0
    )
    position, content = found.statistics["entropy"]
    assert position < content
    position, content = found.statistics["position_debiased_entropy"]
    assert position == pytest.approx(1)
    assert content < 0.9


def test_length_normalisation_changes_the_order():
    masses, lengths = [[[8.0, 6.0]]], [[8, 2]]
    features, lists = made_up_features(masses, 1, 1, lengths=lengths), lists_frame([[0, 1]])
    for alpha, expected in [(0.0, 0.0), (1.0, 1.0)]:
        found = select(features, lists, MassSettings(length_alpha=alpha), k=1, min_discrimination=-1.0)
        assert found.statistics["discrimination"] == (expected,)


def test_the_number_and_the_depth_of_heads_are_restricted():
    features, lists = planted()
    wide = select(features, lists, k=12, min_discrimination=-1.0)
    assert len(wide.heads) == len(set(wide.heads)) == 12
    assert select(features, lists, k=3, min_discrimination=-1.0).heads == wide.heads[:3]
    shallow = select(features, lists, layers=1, k=12, min_discrimination=-1.0)
    assert sorted(shallow.heads) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert len(shallow.statistics["selection"]) == 12

    check_count(12, 3, 4, "-k")
    with pytest.raises(InputError, match="-k: 13 heads of a model that has 12; ask for fewer"):
        check_count(13, 3, 4, "-k")


def test_the_share_of_the_layers_that_heads_may_come_from():
    features, lists = planted()
    half = select(features, lists, depth=0.5, k=12, min_discrimination=-1.0)
    assert {layer for layer, _ in half.heads} == set(range(round(features.n_layers / 2)))
    # However small the share, one layer is left.
    assert {layer for layer, _ in select(features, lists, depth=0.01, k=2).heads} == {0}


def test_calibrated_masses_in_place_of_raw_ones():
    raw, calibrated = [[[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]]], [[[1.0, 2.0, 3.0], [9.0, 1.0, -2.0]]]
    features, lists = made_up_features(raw, 1, 2), lists_frame([[2, 1, 0]])
    features.values["qrhead"][:] = calibrated  # type: ignore[index]
    features = dataclasses.replace(
        features, values={**features.values, "headrank": np.asarray(raw, np.float32)}
    )
    assert select(features, lists, k=1).heads == ((0, 0),)
    found = select(features, lists, k=1, masses="calibrated")
    assert found.heads == ((0, 1),)
    # The shares of which the entropy is taken: what is negative counts as nothing.
    expected = normalised_entropy(np.array([[9, 1, 0]]) / 10 + 1e-7)[0]
    assert found.statistics["entropy"][1] == pytest.approx(expected, abs=1e-4)


def test_of_equal_heads_the_shallower_is_taken():
    row = [3.0, 2.0, 1.0, 0.5]
    features, lists = made_up_features([[row] * 6], 3, 2), lists_frame([[3, 2, 1, 0]])
    assert select(features, lists, k=3).heads == ((0, 0), (0, 1), (1, 0))
    assert choose_heads("core", features, lists, core_k=2, core_temperatures=(0.1,)).heads == (
        (0, 0),
        (0, 1),
    )


def test_only_the_first_permutations_count():
    right, wrong = [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]
    features = made_up_features([[right], [wrong]], 1, 1)
    lists = lists_frame([[2, 1, 0]] * 2, qids=["a", "a"])
    assert select(features, lists, k=1, permutations=1).statistics["discrimination"] == (1,)
    both = select(features, lists, k=1, permutations=2, min_discrimination=0.0)
    assert both.statistics["discrimination"] == (0.5,)
    with pytest.raises(InputError, match="no training lists among the first 0 samples"):
        select(features, lists, permutations=0)


def test_padding_of_shorter_lists_does_not_count():
    masses = np.full((2, 1, 4), np.nan)
    masses[0, 0], masses[1, 0, :2] = [4, 3, 2, 1], [2, 1]
    found = select(made_up_features(masses, 1, 1), lists_frame([[3, 2, 1, 0], [1, 0]]), k=1)
    assert found.statistics["discrimination"] == (1,)
    assert math.isfinite(found.statistics["entropy"][0])
    assert math.isfinite(found.statistics["position_debiased_entropy"][0])


def test_no_head_worth_choosing_is_an_error():
    features, lists = made_up_features([[[1.0, 2.0]]], 1, 1), lists_frame([[1, 0]])
    with pytest.raises(InputError, match="no head tells the grades apart"):
        select(features, lists, k=1)
    with pytest.raises(InputError, match="1 lists are missing, such as '1'"):
        select(features, lists_frame([[1, 0], [1, 0]]))


def test_fewer_heads_than_are_asked_for_are_told(caplog: pytest.LogCaptureFixture):
    features, lists = planted()
    select(features, lists, k=12, min_discrimination=-1.0)
    assert caplog.messages == []
    select(features, lists, layers=1, k=12, min_discrimination=-1.0)
    assert "only 4 heads instead of 12" in caplog.text


def test_more_heads_than_the_model_has_are_refused():
    features, lists = planted()
    with pytest.raises(UsageError, match="13 heads of a model that has 12; ask for fewer"):
        select(features, lists, k=13, min_discrimination=-1.0)
