"""Head choice of the other methods on made-up masses: QRHead, CoRe, Selective-ICR's band, CompRank's layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import choose_heads, lists_frame, made_up_features

from headrank.errors import InputError
from headrank.methods.table import CRITERIA

ONE = {"core_temperatures": (0.001,)}


def planted(lists: int = 6, place: int = 7) -> tuple[Any, Any]:
    """Three layers of four heads over lists of eight; the head at ``place`` alone follows the grades."""
    rng = np.random.default_rng(5)
    grades = [[3, 2, 1, 0, 0, 0, -1, -1] for _ in range(lists)]
    masses = rng.uniform(0.4, 0.6, (lists, 12, 8))
    masses[:, place] = np.array([1.0, 0.7, 0.5, 0.2, 0.2, 0.2, 0.1, 0.1])
    return made_up_features(masses, 3, 4), lists_frame(grades)


def test_qrhead_adds_up_the_mass_on_relevant_documents():
    masses = [[[0.1, 0.5, 0.2, 0.9], [0.2, 0.1, 0.4, 0.0]], [[0.3, 0.3, 0.1, 0.0], [0.1, 0.0, 0.0, 0.0]]]
    features = made_up_features(masses, 1, 2)
    lists = lists_frame([[0, 1, 2, -1], [1, 0, 0, 0]])
    found = choose_heads("qrhead", features, lists, qrhead_k=2)
    # Unjudged documents are no gold: 0.9 does not count.
    np.testing.assert_allclose(found.statistics["selection"], [(0.7 + 0.3) / 2, (0.5 + 0.1) / 2], rtol=1e-6)
    assert (found.method, found.heads) == ("qrhead", ((0, 0), (0, 1)))
    strict = choose_heads("qrhead", features, lists, qrhead_k=1, relevant=2)
    np.testing.assert_allclose(strict.statistics["selection"], [0.1, 0.2], rtol=1e-6)


def test_qrhead_by_the_ndcg_of_single_heads():
    features, lists = planted()
    found = choose_heads("qrhead-ndcg", features, lists, qrhead_k=3)
    assert found.heads[0] == (1, 3)
    assert found.scores[0] == pytest.approx(1)
    assert len(found.heads) == 3


def test_core_contrasts_relevant_with_all_others():
    features, lists = made_up_features([[[0.3, 0.1, 0.2, 0.9]]], 1, 1), lists_frame([[1, 0, 2, -1]])
    found = choose_heads("core", features, lists, core_temperatures=(0.1,), core_k=1)
    # The training lists' unjudged documents stand among the negatives, as in CoRe's own mined negatives.
    negatives = np.exp(0.1 / 0.1) + np.exp(0.9 / 0.1)
    expected = np.mean([np.exp(m / 0.1) / (np.exp(m / 0.1) + negatives) for m in (0.3, 0.2)])
    assert found.scores[0] == pytest.approx(expected, rel=1e-5)
    assert found.provenance == {"temperature": 0.1, "heldout_ndcg": {}}


def test_the_temperature_that_ranks_held_out_queries_best_is_taken():
    """A head of huge steps on every other list wins at a low temperature, a steady one at a high temperature."""
    grades = [[1, 0, 0, 0] for _ in range(10)]
    steady = [0.30, 0.2, 0.2, 0.2]
    masses = [[steady, [0.9, 0.1, 0.1, 0.1] if i % 2 else [0.1, 0.11, 0.12, 0.13]] for i in range(10)]
    features, lists = made_up_features(masses, 1, 2), lists_frame(grades)
    settings = {"core_k": 1, "core_temperatures": (0.001, 1.0), "core_heldout": 0.4}
    found = choose_heads("core", features, lists, **settings)
    assert found.provenance["temperature"] == 0.001
    assert found.heads == ((0, 0),)
    low, high = (found.provenance["heldout_ndcg"][t] for t in ("0.001", "1.0"))
    assert low == pytest.approx(1.0)
    assert high < low
    alone = choose_heads("core", features, lists, core_k=1, core_temperatures=(1.0,))
    assert alone.heads == ((0, 1),)


def test_held_out_queries_do_not_choose_the_heads_that_they_judge():
    features, lists = planted(10)
    settings = {"core_k": 1, "core_temperatures": (0.01, 1.0), "core_heldout": 0.95}
    with pytest.raises(InputError, match="of 10 queries 10 would be held out"):
        choose_heads("core", features, lists, **settings)
    with pytest.raises(InputError, match="names no temperature"):
        choose_heads("core", features, lists, core_temperatures=())


def test_a_pruned_model_has_no_heads_of_its_upper_layers():
    features, lists = planted(place=10)
    whole = choose_heads("core", features, lists, core_k=2, **ONE)
    pruned = choose_heads("core-pruned", features, lists, core_k=2, core_prune=0.4, **ONE)
    assert whole.heads[0] == (2, 2)
    assert {layer for layer, _ in pruned.heads} == {0}
    assert pruned.depth == 1
    none = choose_heads("core-pruned", features, lists, core_prune=0.0, **ONE)
    assert none.heads == choose_heads("core", features, lists, **ONE).heads


def layered(by_layer: list[float]) -> tuple[Any, Any]:
    """One head a layer; of ten lists a share as given has the relevant document first by that layer's mass."""
    masses = np.zeros((10, len(by_layer), 4))
    masses[:, :, 0], masses[:, :, 1] = 0.5, 0.4
    for layer, share in enumerate(by_layer):
        masses[round(share * 10) :, layer, 1] = 0.6
    return made_up_features(masses, len(by_layer), 1), lists_frame([[1, 0, 0, 0]] * 10)


def test_the_band_lies_round_the_peak_of_the_layers():
    features, lists = layered([0.0, 0.1, 0.2, 0.3, 0.6, 0.9, 0.7, 0.3, 0.1, 0.0])
    found = choose_heads("selective-icr", features, lists, selective_layers=3)
    assert found.provenance["layers"] == [4, 6]
    assert sorted(found.heads) == [(4, 0), (5, 0), (6, 0)]
    assert found.depth == 7


def test_of_equal_layers_the_band_is_the_middle():
    features, lists = layered([0.5] * 9)
    assert choose_heads("selective-icr", features, lists, selective_layers=3).provenance["layers"] == [3, 5]
    # Without the preference for the middle (a wide bell), a better layer at the end is taken.
    features, lists = layered([0.5] * 8 + [1.0])
    wide = choose_heads("selective-icr", features, lists, selective_layers=1, selective_spread=100.0)
    assert wide.provenance["layers"] == [8, 8]


def test_a_model_thinner_than_the_band_is_taken_whole():
    features, lists = layered([0.2, 0.4])
    assert choose_heads("selective-icr", features, lists).provenance["layers"] == [0, 1]


def test_the_best_layer_is_judged_by_the_sum_of_its_heads():
    rng = np.random.default_rng(0)
    masses = rng.uniform(0.4, 0.6, (6, 6, 4))
    # Neither head of layer 1 ranks alone; together they do.
    masses[:, 2] = [0.5, 0.9, 0.1, 0.0]
    masses[:, 3] = [0.9, 0.1, 0.5, 0.0]
    features, lists = made_up_features(masses, 3, 2), lists_frame([[2, 1, 0, 0]] * 6)
    found = choose_heads("best-layer", features, lists)
    assert found.heads == ((1, 0), (1, 1))
    assert found.provenance["ndcg_by_layer"][1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("criterion", "grades"), [("core", [[2, 1]]), ("core", [[0, 0]]), ("qrhead-ndcg", [[0, 0]])]
)
def test_a_criterion_without_a_usable_list_is_an_error(criterion: str, grades: list[list[int]]):
    features = made_up_features([[[1.0, 2.0], [2.0, 1.0]]], 1, 2)
    with pytest.raises(InputError, match="no training list has both relevant and other documents"):
        choose_heads(criterion, features, lists_frame(grades), **ONE)


def test_each_criterion_reads_its_own_masses():
    features, lists = planted()
    values = {**features.values, "core": features.values["core"][:, ::-1].copy()}
    features = type(features)("made-up", 3, 4, features.ids, values)
    assert choose_heads("core", features, lists, **ONE).heads[0] == (1, 0)
    assert choose_heads("qrhead", features, lists, qrhead_k=12).heads[0] == (1, 3)


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "headrank"])
def test_every_criterion_scores_every_head(criterion: str):
    features, lists = planted()
    found = choose_heads(criterion, features, lists, {"seed": 3}, core_prune=0.3, qrhead_k=12)
    assert found.method == criterion
    assert len(found.statistics["selection"]) == 12
    assert found.provenance["seed"] == 3
    assert (1, 3) in found.heads
