"""RouteHead: labels by search, the router that learns them, and the method in the shared pass."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import builder, count_calls, lists_frame, made_up_features, passages, tiny_backbone

from headrank.engine.extract import collect_features
from headrank.engine.forward import read_prompts
from headrank.engine.scoring import document_index, sum_by_document
from headrank.errors import InputError
from headrank.heads.criteria import ndcg_of_heads
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.labels import candidate_heads, label_lists, search_label
from headrank.heads.routing.router import Router, train_router
from headrank.methods.build import build
from headrank.rerankers import Candidates, icr
from headrank.rerankers.frozen import rerank_frozen
from headrank.rerankers.parts import Parts
from headrank.rerankers.routehead import routehead
from headrank.settings import RouteSettings, Settings

GRADES = np.array([2, 0, 1, 0, 0], dtype=np.int64)


def brute_force(values: np.ndarray, grades: np.ndarray, budget: int) -> float:
    sets = [c for size in range(1, budget + 1) for c in combinations(range(len(values)), size)]
    return max(float(ndcg_of_heads(values[list(c)].sum(axis=0)[None], grades)[0]) for c in sets)


def test_a_swap_mends_what_adding_alone_gets_wrong():
    # Head 0 is best alone; heads 1 and 2 rank perfectly together, and with head 0 they do not.
    values = np.array([[0.5, 0.6, 0.4, 0.0, 0.0], [1.0, 1.1, 0.0, 1.05, 0.0], [0.1, -0.9, 0.6, -0.9, 0.0]])
    alone = ndcg_of_heads(values, GRADES)
    assert alone.argmax() in (0, 2)
    label, value = search_label(values, GRADES, 2)
    assert value == pytest.approx(1.0)
    assert value == pytest.approx(brute_force(values, GRADES, 2))
    assert label.sum() <= 2


@pytest.mark.parametrize("seed", range(8))
def test_labels_keep_to_the_budget_and_beat_single_heads(seed: int):
    rng = np.random.default_rng(seed)
    values, grades = rng.uniform(0, 1, (7, 14)), rng.integers(-1, 4, 14)
    grades[:2] = (3, 0)
    for budget in (1, 2, 4):
        label, value = search_label(values, grades, budget)
        assert 1 <= label.sum() <= budget
        assert value == pytest.approx(float(ndcg_of_heads(values[label].sum(axis=0)[None], grades)[0]))
        assert value >= ndcg_of_heads(values, grades).max() - 1e-12
        assert value <= brute_force(values, grades, budget) + 1e-12
    assert search_label(values, grades, 1)[1] == pytest.approx(brute_force(values, grades, 1))


def test_labels_of_stored_lists():
    masses = np.tile([0.1, 0.5, 0.9], (3, 4, 1))
    masses[:, 1] = [0.9, 0.5, 0.1]
    masses[:, 2] = [0.1, 0.9, 0.5]
    features = made_up_features(masses, 2, 2)
    lists = lists_frame([[2, 1, 0], [0, 2, 1], [0, 0, -1]])
    candidates = candidate_heads(features, lists, 2)
    assert set(candidates.heads) == {(0, 1), (1, 0)}
    ids, labels, found = label_lists(features, lists, candidates, 1)
    # The third list has nothing relevant.
    assert ids == ["0", "1"]
    assert [candidates.heads[int(label.argmax())] for label in labels] == [(0, 1), (1, 0)]
    assert found == pytest.approx([1.0, 1.0])
    with pytest.raises(InputError, match="no training list has a relevant document"):
        label_lists(features, lists_frame([[0, 0, -1]]), candidates, 1)


def two_kinds(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Queries of two kinds, told apart by their states, that need different heads; head 3 suits both."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, count)
    states = rng.normal(0, 1, (count, 6)) + 5
    states[:, 2] += 4 * kind
    labels = np.zeros((count, 4), dtype=bool)
    labels[np.arange(count), kind] = True
    labels[:, 3] = True
    return states.astype(np.float32), labels


CANDIDATES = HeadSet("routehead", "tiny", 4, 4, ((0, 1), (2, 3), (1, 0), (3, 2)), (0.9, 0.8, 0.7, 0.6))
SETTINGS = RouteSettings(candidates=4, budget=2, dimension=8, learning_rate=0.02, epochs=20)


def test_the_router_learns_which_heads_a_query_needs():
    states, labels = two_kinds(120, 0)
    router, curve = train_router(states, labels, CANDIDATES, 2, SETTINGS, 0)
    unseen, expected = two_kinds(80, 1)
    routed = np.stack([router.route(torch.from_numpy(z)).numpy() for z in unseen])
    # The best fixed choice is right on head 3 and on one kind of query only.
    assert (routed == expected).all(axis=1).mean() > 0.9
    assert curve["loss"].iloc[-1] < 0.5 * curve["loss"].iloc[0]
    assert curve["heads"].iloc[-1] == pytest.approx(2, abs=0.2)


def test_sparsity_leaves_fewer_heads():
    states, labels = two_kinds(120, 0)
    dense, _ = train_router(states, labels, CANDIDATES, 2, SETTINGS, 0)
    strong = RouteSettings(**{**vars(SETTINGS), "sparsity": 5.0})
    sparse, _ = train_router(states, labels, CANDIDATES, 2, strong, 0)
    z = torch.from_numpy(states)
    assert float(sparse.probabilities(z).sum()) < 0.7 * float(dense.probabilities(z).sum())


def test_where_no_head_is_above_the_threshold_the_budget_s_best_are_taken():
    states, labels = two_kinds(60, 0)
    router, _ = train_router(states, labels, CANDIDATES, 2, SETTINGS, 0)
    shy = Router(**{**vars(router), "threshold": 1.0})
    z = torch.from_numpy(states[0])
    routed = shy.route(z)
    assert int(routed.sum()) == 2
    best = shy.probabilities(z).topk(2).indices.tolist()
    assert sorted(best) == routed.nonzero().flatten().tolist()


def test_a_router_comes_back_from_its_file_bit_by_bit(tmp_path: Path):
    states, labels = two_kinds(60, 0)
    router, _ = train_router(states, labels, CANDIDATES, 2, SETTINGS, 0)
    router.save(tmp_path / "a.safetensors")
    again, _ = train_router(states, labels, CANDIDATES, 2, SETTINGS, 0)
    again.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = Router.load(tmp_path / "a.safetensors")
    assert (loaded.heads, loaded.layer, loaded.budget) == (CANDIDATES, 2, 2)
    z = torch.from_numpy(states)
    assert torch.equal(loaded.probabilities(z), router.probabilities(z))
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no readable router"):
        Router.load(tmp_path / "a.safetensors")


def test_a_layer_above_the_deepest_candidate_is_refused():
    states, labels = two_kinds(20, 0)
    with pytest.raises(
        InputError, match=r"routehead.layer: 4 lies above the deepest candidate head \(layer 3\)"
    ):
        train_router(states, labels, CANDIDATES, 4, SETTINGS, 0)


def made_router(layer: int = 2, threshold: float = 0.5) -> Router:
    generator = torch.Generator().manual_seed(3)
    return Router(
        CANDIDATES, layer, 2, threshold, torch.zeros(48), torch.ones(48), torch.randn(8, 48, generator=generator),
        torch.randn(4, 8, generator=generator), torch.zeros(4),
    )  # fmt: skip


def test_routed_heads_are_read_in_the_pass_that_all_methods_share():
    backbone: Any = tiny_backbone("qwen3")
    candidates = [
        Candidates(f"q{i}", f"red oak {i} elm" * (i + 1), tuple(passages(6, seed=i))) for i in range(4)
    ]
    method = routehead(made_router(), Settings())
    with count_calls({"decoder": backbone.decoder}) as calls:
        frames, _, routes = rerank_frozen(
            backbone, builder(), [icr(backbone), method], candidates, Settings()
        )
    assert calls == {"decoder": 4}
    assert set(routes["method"]) == {"routehead"}
    chosen = {qid: set(zip(g["layer"], g["head"], strict=True)) for qid, g in routes.groupby("qid")}
    # Different queries take different heads, and scores are those heads' summed masses.
    assert len({frozenset(heads) for heads in chosen.values()}) > 1
    for c in candidates:
        prompt = builder().build(c.query, c.documents)
        heads = sorted(chosen[c.qid])
        with torch.no_grad():
            reading = next(iter(read_prompts(backbone, [prompt], heads, [("query", "query")])))
        mass = reading.mass["query", "query"].sum(dim=0)
        index = document_index(prompt.text, len(prompt.prefix))
        expected = sum_by_document(mass, index, 6).numpy()
        frame = frames["routehead"]
        found = frame[frame["qid"] == c.qid].sort_values("position")["score"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_states_are_stored_beside_the_masses():
    backbone, lists = (
        tiny_backbone("qwen3"),
        {"0": ("red oak", passages(3)), "1": ("elm", passages(4, seed=1))},
    )
    features = collect_features(backbone, builder(), lists, "query", "text", states_layer=2)
    plain = collect_features(backbone, builder(), lists, "query", "text")
    assert features.values["states"].shape == (2, 48)
    assert "states" not in plain.values
    np.testing.assert_array_equal(features.values["headrank"], plain.values["headrank"])
    prompt = builder().build("elm", passages(4, seed=1))
    with torch.no_grad():
        reading = next(iter(read_prompts(backbone, [prompt], [(3, 0)], [("query", "query")], states_layer=2)))
    np.testing.assert_allclose(features.values["states"][1], reading.states["query", "query"], atol=1e-5)


def test_a_study_without_a_router_cannot_route():
    parts = Parts(tiny_backbone("qwen3"), builder(), {}, Settings())
    with pytest.raises(InputError, match="'routehead' needs a trained router"):
        build(["routehead"], parts)
    parts = Parts(tiny_backbone("qwen3", depth=2), builder(), {}, Settings(), made_router())
    with pytest.raises(InputError, match="routehead's router: head 2-3 is outside the model"):
        build(["routehead"], parts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": 9}, "the router's layer 9 is not within 0..3"),
        ({"layer": True}, "layer: expected int, got True"),
        ({"layer": "2"}, "layer: expected int, got '2'"),
        ({"budget": 0}, "budget: expected at least 1, got 0"),
        ({"budget": None}, "budget: expected int, got None"),
        ({"threshold": 7}, "threshold: expected at most 1, got 7"),
        ({"threshold": float("nan")}, "NaN is no number"),
        ({"threshold": [0.5]}, "threshold: expected a finite number, got [0.5]"),
        ({"mean": torch.zeros(47)}, "the router's spread has shape (48,), not (47,)"),
        ({"embeddings": torch.zeros(3, 8)}, "the router's embeddings has shape (3, 8), not (4, 8)"),
        ({"bias": torch.zeros(4, 1)}, "the router's bias has shape (4, 1), not (4,)"),
        ({"bias": torch.zeros(4, dtype=torch.int64)}, "the router's bias has shape"),
        ({"weight": torch.full((8, 48), torch.nan)}, "the router's weight holds a number that is not finite"),
        ({"weight": torch.zeros(0)}, "no readable router"),
        ({"spread": torch.zeros(48)}, "the router's spread should be positive"),
    ],
)
def test_a_router_that_training_does_not_write_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
):
    path = tmp_path / "router.safetensors"
    replace(made_router(), **changes).save(path)
    with pytest.raises(InputError) as caught:
        Router.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_router_of_another_backbone_is_refused():
    backbone = tiny_backbone("qwen3")
    others = replace(made_router(), heads=replace(CANDIDATES, fingerprint="0" * 64))
    with pytest.raises(InputError, match="routehead's router: found on another backbone"):
        Parts(backbone, builder(), {}, Settings(), others)
    # One of an earlier version says only how wide its states are.
    wide = replace(made_router(), mean=torch.zeros(64))
    with pytest.raises(InputError, match=r"reads states of 64 numbers, and .* has 48"):
        Parts(backbone, builder(), {}, Settings(), wide)
