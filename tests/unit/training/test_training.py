"""Training on a rule that can be learnt: what falls, what rises, what changes, and what ends it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support import builder, checkpoint, count_calls
from trainable import (
    COMPRANK,
    HEADS,
    QRRANKER,
    QUERIES,
    adapter_weights,
    examples,
    fit,
    make_settings,
    reader,
    truncated,
    world,
)

from headrank.data.training_lists import by_list
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.extract import collect_features
from headrank.engine.readout import read_out
from headrank.errors import InputError
from headrank.rerankers import headrank, rerank_together, trained
from headrank.rerankers.candidates import Candidates
from headrank.settings import Settings, to_mapping
from headrank.training import loop, stepper
from headrank.training.adapter import save_adapter, target_modules
from headrank.training.examples import make_examples, split_queries
from headrank.training.loop import cosine_factor, train
from headrank.training.objective import score_list
from headrank.training.pairs import frozen_scores, mine_list

pytestmark = pytest.mark.slow


def test_examples_join_lists_pairs_and_frozen_scores():
    lists, pairs, base, documents = world()
    group = by_list(lists)[3]
    example = examples()[3]
    assert (example.list_id, example.qid, example.sample) == (
        3,
        group["qid"].iloc[0],
        group["sample"].iloc[0],
    )
    assert example.grades.tolist() == group["grade"].tolist()
    assert example.prompt == builder().build(QUERIES[example.qid], [documents[d] for d in group["docid"]])
    assert example.pairs.tolist() == pairs.loc[pairs["list_id"] == 3, ["better", "worse"]].to_numpy().tolist()
    np.testing.assert_allclose(example.base, base.loc[base["list_id"] == 3, "score"], rtol=1e-6)
    with pytest.raises(InputError, match="training list 3 has no frozen scores"):
        make_examples(lists, pairs, base[base["list_id"] != 3], QUERIES, documents, builder())
    without = make_examples(lists, pairs[pairs["list_id"] != 3], base, QUERIES, documents, builder())
    assert without[3].pairs.shape == (0, 2)


@torch.no_grad()
def test_frozen_scores_are_the_untrained_model_s():
    backbone, settings = truncated(), make_settings()
    for example in examples()[:3]:
        found = score_list(backbone, HEADS, example.prompt, settings)
        torch.testing.assert_close(found, example.base, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("score", ["log-mean", "mean-log"])
def test_calibrated_scores_are_the_same_when_mined_trained_and_ranked(score: str):
    settings = make_settings(mass={"calibration": "ratio"}, loss={"score": score})
    backbone = truncated()
    prompt = examples()[0].prompt
    training_lists, _, _, documents = world()
    first = by_list(training_lists)[examples()[0].list_id]
    lists = {"0": (QUERIES[examples()[0].qid], [documents[docid] for docid in first["docid"]])}
    features = collect_features(load_backbone(checkpoint("qwen3")), builder(), lists, "query", "text")
    frame = first.assign(list_id=0)
    ((_, _, frozen),) = frozen_scores(features, frame, HEADS, settings.mass, score)
    found = score_list(backbone, HEADS, prompt, settings)
    torch.testing.assert_close(found.double(), torch.from_numpy(frozen), atol=1e-5, rtol=0)
    plain = score_list(backbone, HEADS, prompt, make_settings(loss={"score": score}))
    assert (found - plain).std() > 1e-3
    candidates = [Candidates("q", lists["0"][0], tuple(lists["0"][1]))]
    ranked = rerank_together(backbone, builder(), [trained(HEADS, settings)], candidates, "best-first")[
        "headrank"
    ]
    order = ranked.sort_values("position")["score"].to_numpy()
    assert np.corrcoef(order, found.exp() if score == "log-mean" else found)[0, 1] == pytest.approx(
        1, abs=1e-5
    )


def test_calibrated_training_learns_and_begins_at_the_lowest_adapted_layer():
    changes = {"mass": {"calibration": "ratio"}, "training": {"epochs": 6, "modules": "chosen-qk"}}
    whole, kept = (
        fit(**{**changes, "training": {**changes["training"], "cache_gib": g}}) for g in (0.0, 1.0)
    )
    held = kept[2][kept[2]["split"] == "heldout"]
    assert held["loss"].iloc[-1] < 0.9 * held["loss"].iloc[0]
    assert held["pair_accuracy"].iloc[-1] > held["pair_accuracy"].iloc[0]
    pd.testing.assert_frame_equal(whole[2], kept[2])


def test_shares_are_calibrated_once_and_only_shares():
    ratio = {"mass": {"calibration": "ratio"}}
    with pytest.raises(InputError, match=r"mass\.calibration: ratio applies to shares"):
        read_out(Settings.from_mapping({**ratio, **QRRANKER}))
    with pytest.raises(InputError, match=r"ratio takes the place of inference\.calibrate"):
        read_out(Settings.from_mapping({**ratio, "inference": {"calibrate": True}}))


def test_loss_falls_and_accuracy_on_unseen_queries_rises():
    _, _, curve = fit(training={"epochs": 6})
    train_rows, held = curve[curve["split"] == "train"], curve[curve["split"] == "heldout"]
    assert train_rows["loss"].iloc[-3:].mean() < 0.7 * train_rows["loss"].iloc[0]
    assert held["loss"].iloc[-1] < 0.8 * held["loss"].iloc[0]
    assert held["pair_accuracy"].iloc[0] < 0.75
    assert held["pair_accuracy"].iloc[-1] > 0.95
    assert curve.columns.tolist() == [
        "step", "epoch", "split", "loss", "preference", "regulariser", "pair_accuracy", "ndcg", "learning_rate", "kept",
    ]  # fmt: skip
    assert held["ndcg"].iloc[-1] > held["ndcg"].iloc[0] + 0.1
    assert train_rows["ndcg"].isna().all()
    # Without early stopping the last epoch is kept.
    assert curve.loc[curve["kept"], ["epoch", "split"]].to_numpy().tolist() == [[6, "train"], [6, "heldout"]]
    assert held["epoch"].tolist() == list(range(7))
    assert held["step"].tolist() == [3 * i for i in range(7)]  # nine training queries in batches of four
    assert train_rows["step"].tolist() == list(range(1, 19))
    weighted = train_rows["preference"] + 0.5 * train_rows["regulariser"]
    np.testing.assert_allclose(train_rows["loss"], weighted, rtol=1e-5)
    # At the frozen model the DPO form is log 2, whatever the pairs.
    assert held["preference"].iloc[0] == pytest.approx(np.log(2), abs=1e-5)


def test_only_the_adapter_changes_and_only_up_to_the_read_out():
    before = {name: p.clone() for name, p in truncated().model.state_dict().items()}
    _, model, _ = fit(training={"epochs": 1})
    after = model.state_dict()
    base = {
        n.removeprefix("base_model.model.").replace(".base_layer", ""): p
        for n, p in after.items()
        if "lora" not in n
    }
    assert base.keys() == before.keys()
    assert all(torch.equal(base[name], before[name]) for name in before)
    trained = adapter_weights(model)
    assert all("lora" in name for name in trained)
    adapted = {name.split("layers.")[1].split(".lora")[0] for name in trained}
    below = [f"self_attn.{x}_proj" for x in "qkvo"] + [f"mlp.{x}_proj" for x in ("gate", "up", "down")]
    assert adapted == {
        *(f"{i}.{m}" for i in (0, 1) for m in below),
        "2.self_attn.q_proj",
        "2.self_attn.k_proj",
    }
    # Every one of them has a gradient, or training it would be pretence: B starts at zero and must have left it.
    assert all(p.abs().max() > 0 for name, p in trained.items() if "lora_B" in name)


def test_query_and_key_projections_only():
    _, model, _ = fit(training={"epochs": 1, "modules": "qk"})
    names = {name.split("self_attn.")[1].split(".lora")[0] for name in adapter_weights(model)}
    assert names == {"q_proj", "k_proj"}


def test_target_modules_at_the_first_layer_and_beyond_the_ninth():
    assert re.fullmatch(target_modules([0], "all"), "model.layers.0.self_attn.q_proj")
    assert not re.fullmatch(target_modules([0], "all"), "model.layers.0.self_attn.v_proj")
    deep = target_modules([12, 3], "all")
    assert re.fullmatch(deep, "model.layers.1.mlp.up_proj")
    assert re.fullmatch(deep, "model.layers.11.self_attn.o_proj")
    assert not re.fullmatch(deep, "model.layers.12.self_attn.o_proj")
    assert not re.fullmatch(deep, "model.layers.13.self_attn.q_proj")


def test_the_first_layers_can_be_left_as_they_are():
    deep = target_modules([12, 3], "all", first=4)
    assert not re.fullmatch(deep, "model.layers.3.mlp.up_proj")
    assert re.fullmatch(deep, "model.layers.4.mlp.up_proj")
    # The layer that is read at last is trained in any case.
    assert re.fullmatch(target_modules([1], "all", first=4), "model.layers.1.self_attn.q_proj")
    _, model, _ = fit(training={"epochs": 1, "first_layer": 0.25})
    layers = {int(name.split("layers.")[1].split(".")[0]) for name in adapter_weights(model)}
    assert layers == {1, 2}


def test_projections_of_the_chosen_layers_only():
    _, model, _ = fit(training={"epochs": 1, "modules": "chosen-qk"})
    places = {name.split("layers.")[1].split(".lora")[0] for name in adapter_weights(model)}
    assert places == {f"{layer}.self_attn.{x}_proj" for layer in (1, 2) for x in "qk"}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    folders = []
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        torch.manual_seed(hash(name) % 1000)  # whatever went before must not matter
        backbone, model, _ = fit(training={"epochs": 1, "seed": seed})
        save_adapter(model, tmp_path / name, backbone, HEADS, to_mapping(make_settings()))
        folders.append({p.name: p.read_bytes() for p in sorted((tmp_path / name).iterdir())})
    assert folders[0] == folders[1]
    assert folders[0]["adapter_model.safetensors"] != folders[2]["adapter_model.safetensors"]


def test_gradient_checkpointing_changes_nothing_but_memory():
    plain, saving = (
        fit(training={"lora_dropout": 0.0, "activation_gib": 0.0 if on else None})[1] for on in (False, True)
    )
    expected, found = adapter_weights(plain), adapter_weights(saving)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-6, rtol=0, msg=name)


def test_gradient_checkpointing_runs_the_lower_layers_twice():
    counts = {}
    for on in (False, True):
        backbone = truncated()
        layer: Any = backbone.decoder.layers[0]  # type: ignore[union-attr,index]
        settings = make_settings(
            training={"epochs": 1, "heldout_share": 0.0, "activation_gib": 0.0 if on else None}
        )
        with count_calls({"mlp": layer.mlp}) as calls:
            train(backbone, HEADS, examples(), settings)
        counts[on] = calls["mlp"]
    assert counts == {False: 12, True: 24}


def test_each_epoch_sees_its_own_samples(monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    original = stepper.list_loss

    def watch(*arguments: Any) -> Any:
        seen.append(arguments[1].list_id)
        return original(*arguments)

    monkeypatch.setattr(stepper, "list_loss", watch)
    fit(training={"epochs": 3, "heldout_share": 0.0})
    samples = {e.list_id: e.sample for e in examples()}
    epochs = [seen[i : i + 12] for i in range(0, 36, 12)]
    assert [{samples[i] for i in epoch} for epoch in epochs] == [{0}, {1}, {0}]
    assert all(len(set(epoch)) == 12 for epoch in epochs)
    assert epochs[0] != epochs[2]  # in another order


def test_pairs_can_be_mined_anew(monkeypatch: pytest.MonkeyPatch):
    calls: list[np.ndarray] = []

    def watch(grades: Any, scores: Any, settings: Any, rng: Any) -> Any:
        calls.append(scores)
        return mine_list(grades, scores, settings, rng)

    monkeypatch.setattr("headrank.training.objective.mine_list", watch)
    counts = {}
    for option in ("never", "epoch", "step"):
        calls.clear()
        _, _, curve = fit(pairs={"remine": option}, training={"heldout_share": 0.25, "lora_dropout": 0.0})
        counts[option] = len(calls)
        assert np.isfinite(curve["loss"]).all()
    # Nine training lists an epoch, two epochs; held-out lists keep the pairs of the frozen model.
    assert counts == {"never": 0, "epoch": 18, "step": 18}
    # What is mined on is the model as it is by then, not the frozen one.
    frozen = [e.base.double().numpy() for e in examples()]
    assert min(np.abs(calls[-1] - f).max() for f in frozen) > 1e-3


@pytest.mark.parametrize("form", ["variance", "entropy", "base", "none"])
def test_each_regulariser_trains(form: str):
    _, _, curve = fit(regulariser={"form": form}, training={"epochs": 1})
    rows = curve[curve["split"] == "train"]
    weight = 0.0 if form == "none" else 0.5
    np.testing.assert_allclose(rows["loss"], rows["preference"] + weight * rows["regulariser"], rtol=1e-5)


def test_a_loss_that_is_not_finite_ends_training_in_one_line():
    broken = list(examples())
    for i, example in enumerate(broken):
        if example.sample == 1:
            broken[i] = replace(example, base=torch.full_like(example.base, float("nan")))
    with pytest.raises(InputError) as caught:
        fit(broken, training={"heldout_share": 0.0})
    message = str(caught.value)
    # The second epoch's first step, of steps of four among twelve lists.
    assert message.startswith("training: the loss is not finite at step 4, list ")
    assert broken[int(message.rsplit(" ", 1)[1])].sample == 1
    assert "\n" not in message


def test_a_gradient_that_is_not_finite_ends_training_in_one_line(monkeypatch: pytest.MonkeyPatch):
    def infinite(*_: Any) -> torch.Tensor:
        return torch.tensor(float("inf"))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", infinite)
    with pytest.raises(InputError, match=r"the gradient is not finite at step 1, lists \d+(, \d+)+$"):
        fit()


@pytest.mark.parametrize(
    ("criterion", "values", "best"),
    [
        ("pair_accuracy", [0.1, 0.6, 0.9, 0.3], 2),
        ("ndcg", [0.1, 0.6, 0.6, 0.3], 1),  # of equals the earliest
        ("loss", [1.0, 0.7, 0.9, 0.6], 3),
        ("loss", [0.5, 0.7, 0.9, 0.6], 0),  # the model as it was
        ("none", [0.9, 0.7, 0.6, 0.3], 3),
    ],
)
def test_early_stopping_keeps_the_best_epoch(
    criterion: str, values: list[float], best: int, monkeypatch: pytest.MonkeyPatch
):
    seen: list[dict[str, torch.Tensor]] = []
    left = iter(values)
    original = loop.measure_heldout

    def pretend(backbone: Backbone, *rest: Any) -> dict[str, float]:
        seen.append(adapter_weights(backbone.model))
        row = original(backbone, *rest)
        return {**row, criterion: next(left)} if criterion != "none" else row

    monkeypatch.setattr(loop, "measure_heldout", pretend)
    _, model, curve = fit(training={"epochs": 3, "early_stopping": criterion})
    final = list(adapter_weights(model).values())
    same = [all(torch.equal(a, b) for a, b in zip(final, w.values(), strict=True)) for w in seen]
    assert same == [epoch == best for epoch in range(4)]
    assert set(curve.loc[curve["kept"], "epoch"]) == {best}
    assert curve.loc[curve["kept"], "step"].nunique() == 1


def test_held_out_ndcg_is_that_of_the_lists():
    settings = make_settings(training={"heldout_share": 0.0})
    backbone = truncated()
    # Frozen scores stand in for the model, as nothing is trained yet.
    expected = []
    for example in examples()[:4]:
        grades = example.grades.numpy()[np.argsort(-example.base.numpy(), kind="stable")][:10].clip(min=0)
        ideal = np.sort(example.grades.numpy().clip(min=0))[::-1][:10]
        discount = 1 / np.log2(np.arange(2, 12))
        expected.append((grades @ discount[: len(grades)]) / (ideal @ discount[: len(ideal)]))
    found = loop.measure_heldout(backbone, HEADS, examples()[:4], settings)["ndcg"]
    assert found == pytest.approx(np.mean(expected), abs=1e-6)


def test_batches_of_an_epoch_are_of_equal_size():
    _, _, curve = fit(training={"epochs": 1, "batch_lists": 4})
    assert len(curve[curve["split"] == "train"]) == 3


def test_queries_are_held_out_whole():
    kept, held = split_queries(examples(), 0.25, 0)
    assert len({e.qid for e in held}) == 3
    assert not {e.qid for e in held} & {e.qid for e in kept}
    assert len(kept) + len(held) == len(examples())
    assert split_queries(examples(), 0.0, 0)[1] == []
    assert {e.qid for e in split_queries(examples(), 0.25, 1)[1]} != {e.qid for e in held}


def test_settings_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(InputError, match=r"training\.heldout_share leaves no query to train on"):
        fit(training={"heldout_share": 0.99})
    shallow = load_backbone(checkpoint("qwen3"), depth=2)
    with pytest.raises(InputError, match="training: head 2-1 is outside the model"):
        train(shallow, HEADS, examples(), make_settings())


def test_learning_rate_rises_then_falls_to_zero():
    factors = [cosine_factor(step, 100, 0.05) for step in range(100)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[5] == 1
    assert all(a > b for a, b in pairwise(factors[5:]))
    assert factors[-1] < 0.001
    assert cosine_factor(52, 99, 0.05) == pytest.approx(0.5, abs=0.01)
    _, _, curve = fit(training={"epochs": 2, "learning_rate": 0.5e-3})
    rates = curve.loc[curve["split"] == "train", "learning_rate"]
    np.testing.assert_allclose(rates, [0.5e-3 * cosine_factor(step, 6, 0.05) for step in range(6)])


@pytest.mark.parametrize("form", ["log-mean", "mean-log"])
def test_what_is_trained_is_what_ranks(form: str):
    """The live model's f orders as the reranker's score does: one forward, one formula."""
    backbone, _, _ = fit(training={"epochs": 1})
    settings = make_settings(loss={"score": form})
    documents = tuple(world()[3].values())[:6]
    candidates = [Candidates("q", "which", documents)]
    frame = rerank_together(backbone, builder(), [headrank(HEADS, settings)], candidates, "best-first")[
        "headrank"
    ]
    with torch.no_grad():
        f = score_list(backbone, HEADS, builder().build("which", documents), settings)
    expected = (f.exp() if form == "log-mean" else f).numpy() * len(HEADS.heads)
    np.testing.assert_allclose(frame.sort_values("position")["score"], expected, rtol=1e-5)


@pytest.mark.parametrize("changes", [QRRANKER, COMPRANK])
def test_other_methods_are_trained_by_the_same_loop(changes: dict[str, dict[str, Any]]):
    encoding = changes.get("encoding", {}).get("documents", "joint")
    backbone, _, curve = fit(examples(encoding), **changes, training={"epochs": 6, "learning_rate": 0.02})
    held = curve[curve["split"] == "heldout"]
    assert held["loss"].iloc[-1] < 0.9 * held["loss"].iloc[0]
    assert held["ndcg"].iloc[-1] > held["ndcg"].iloc[0] + 0.1
    # What is trained is what ranks.
    settings, documents = make_settings(**changes), tuple(world()[3].values())[:6]
    method = trained(HEADS, settings, "method")
    candidates = [Candidates("q", "which", documents)]
    frame = rerank_together(backbone, reader(encoding), [method], candidates, "best-first")["method"]
    with torch.no_grad():
        f = score_list(backbone, HEADS, reader(encoding).build("which", documents), settings)
    expected = f if encoding == "joint" else f.exp() * len(HEADS.heads)
    np.testing.assert_allclose(frame.sort_values("position")["score"], expected, rtol=1e-4)


def test_independent_passages_have_no_frozen_scores():
    for wrong in ({"loss": {"form": "dpo"}}, {"regulariser": {"form": "base"}}):
        with pytest.raises(InputError, match="independent passages have no frozen scores"):
            fit(examples("independent"), **{**COMPRANK, **wrong})
