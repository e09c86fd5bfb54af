"""Training at its limits: memory that runs out, 16-bit weights, epochs that bring nothing; and what steps cost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import checkpoint, count_calls
from trainable import HEADS, adapter_weights, examples, fit, make_settings, truncated

from headrank.engine.backbone import Backbone, load_backbone
from headrank.errors import InputError
from headrank.training import loop, objective, stepper
from headrank.training.loop import TrainingResult, train
from headrank.training.memory import tokens

pytestmark = pytest.mark.slow

DROPOUT = {"lora_dropout": 0.2, "epochs": 1}


def checkpointed(backbone: Backbone) -> bool:
    layer: Any = backbone.decoder.layers[0]  # type: ignore[union-attr,index]
    return bool(layer.gradient_checkpointing)


def out_of_memory(
    monkeypatch: pytest.MonkeyPatch, place: Any, fails: Callable[[Backbone, int], bool]
) -> list[int]:
    """Have ``place.score_examples`` run out of memory on the calls (from 1) that ``fails`` names."""
    original, calls = place.score_examples, [0]

    def score(backbone: Backbone, *rest: Any) -> list[torch.Tensor]:
        calls[0] += 1
        if fails(backbone, calls[0]):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return original(backbone, *rest)

    monkeypatch.setattr(place, "score_examples", score)
    return calls


def test_a_list_that_does_not_fit_switches_gradient_checkpointing_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    _, expected, curve = fit(training=DROPOUT)
    # The second list of the second step, after the first one's gradient.
    calls = out_of_memory(monkeypatch, stepper, lambda backbone, call: call == 5)
    caplog.set_level(logging.WARNING)
    backbone, model, found = fit(training=DROPOUT)
    assert checkpointed(backbone)
    assert calls[0] == 9 + 2  # that step is repeated from its first list, no other is
    # With the same dropout, and nothing of the failed attempt in the gradient.
    assert found.equals(curve)
    assert all(torch.equal(adapter_weights(model)[n], w) for n, w in adapter_weights(expected).items())
    (line,) = [r.getMessage() for r in caplog.records if "gradient checkpointing" in r.getMessage()]
    assert line.startswith(
        "step 2 is repeated with gradient checkpointing, used from here on: training: list "
    )


def test_a_pass_of_several_lists_that_does_not_fit_is_read_one_by_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    alone = {**DROPOUT, "heldout_share": 0.0}
    _, expected, curve = fit(training=alone)
    calls = out_of_memory(monkeypatch, stepper, lambda backbone, call: call == 1)
    caplog.set_level(logging.WARNING)
    backbone, model, found = fit(training={**alone, "tokens_per_pass": 10**6})
    assert not checkpointed(backbone)
    assert calls[0] == 1 + 12
    assert found.equals(curve)
    assert all(torch.equal(adapter_weights(model)[n], w) for n, w in adapter_weights(expected).items())
    (line,) = [r.getMessage() for r in caplog.records if "one list per pass" in r.getMessage()]
    assert line.startswith("step 1 is repeated with one list per pass, used from here on: training: list ")
    assert ", longest of 4 in a pass, does not fit" in line


def test_the_fallback_outlives_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out_of_memory(monkeypatch, stepper, lambda backbone, call: call == 2)
    settings = make_settings(training={**DROPOUT, "checkpoint_every": 1})
    train(truncated(), HEADS, examples(), settings, tmp_path)
    again = truncated()
    train(again, HEADS, examples(), settings, tmp_path)
    assert checkpointed(again)


@pytest.mark.parametrize("asked", [False, True])
def test_a_list_that_never_fits_is_named(asked: bool, monkeypatch: pytest.MonkeyPatch):
    large = examples()[8]

    def fails(*_: Any) -> bool:
        return True

    settings = make_settings(training={"activation_gib": 0.0 if asked else None, "heldout_share": 0.0})
    calls = out_of_memory(monkeypatch, stepper, fails)
    with pytest.raises(InputError) as caught:
        train(truncated(), HEADS, [large], settings)
    assert str(caught.value) == (
        f"training: list 8 of query {large.qid} ({tokens(large)} tokens) does not fit the device's memory even with"
        " gradient checkpointing: give fewer or shorter passages (headrank.lists.size,"
        " headrank.prompt.truncate_words), or bfloat16 weights (dtype)"
    )
    assert calls[0] == (1 if asked else 2)
    assert tokens(large) == len(large.prompt.prefix) + len(large.prompt.query.ids)


def test_a_held_out_list_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch):
    out_of_memory(monkeypatch, objective, lambda backbone, call: True)
    with pytest.raises(InputError, match=r"training: list \d+ of query q\d\d \(\d+ tokens\) does not fit"):
        fit()


def test_the_cost_of_each_step():
    settings = make_settings(training={"epochs": 2})
    done = train(truncated(), HEADS, examples(), settings)
    cost = done.steps
    assert cost.columns.tolist() == ["step", "epoch", "lists", "tokens", "seconds", "peak_memory_mb"]
    rows = done.curve[done.curve["split"] == "train"]
    assert cost[["step", "epoch"]].to_numpy().tolist() == rows[["step", "epoch"]].to_numpy().tolist()
    assert cost["lists"].tolist() == [3] * 6
    held = {e.qid for e in examples()} - {e.qid for e in loop.make_plan(examples(), settings).epochs[0]}
    trained = [e for e in examples() if e.qid not in held]
    by_epoch = cost.groupby("epoch")["tokens"].sum()
    assert by_epoch.tolist() == [sum(tokens(e) for e in trained if e.sample == i) for i in (0, 1)]
    assert (cost["seconds"] > 0).all()
    # The process holds at least the interpreter and PyTorch, and its high-water mark never falls.
    assert cost["peak_memory_mb"].between(50, 1e6).all()
    assert cost["peak_memory_mb"].is_monotonic_increasing
    # What differs from run to run stands in no file that results are made of.
    assert not {"seconds", "tokens", "peak_memory_mb"} & set(done.curve.columns)


def test_the_log_has_a_line_for_each_epoch(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    _, _, curve = fit()
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("epoch ")]
    held = curve[curve["split"] == "heldout"].set_index("epoch")
    assert [line.split(":")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert f"held-out loss {held.loc[2, 'loss']:.4f}, nDCG@10 {held.loc[2, 'ndcg']:.4f}" in lines[1]


@pytest.mark.parametrize(
    ("patience", "values", "epochs", "best"),
    [
        (1, [0.5, 0.6, 0.55, 0.9, 0.9], 2, 1),
        (2, [0.5, 0.6, 0.55, 0.59, 0.9], 3, 1),
        (2, [0.5, 0.6, 0.55, 0.7, 0.6], 4, 3),
        (1, [0.5, 0.5, 0.9, 0.9, 0.9], 1, 0),  # no better is worse
        (None, [0.5, 0.4, 0.3, 0.2, 0.1], 4, 0),
    ],
)
def test_patience_ends_training(
    patience: int | None, values: list[float], epochs: int, best: int, monkeypatch: pytest.MonkeyPatch
):
    left, original = iter(values), loop.measure_heldout

    def pretend(*arguments: Any) -> dict[str, float]:
        return {**original(*arguments), "ndcg": next(left)}

    monkeypatch.setattr(loop, "measure_heldout", pretend)
    choice = {"epochs": 4, "patience": patience, "early_stopping": "ndcg"}
    _, _, curve = fit(training=choice)
    assert curve["epoch"].max() == epochs
    assert set(curve.loc[curve["kept"], "epoch"]) == {best}


def test_patience_without_a_criterion_is_refused():
    with pytest.raises(InputError, match=r"training\.patience .* training\.early_stopping is none"):
        fit(training={"patience": 1, "early_stopping": "none"})
    with pytest.raises(InputError, match=r"training\.patience needs held-out queries"):
        fit(training={"patience": 1, "early_stopping": "ndcg", "heldout_share": 0.0})


def gradients(saving: bool, dropout: float) -> dict[str, torch.Tensor]:
    """The gradient of the first step's lists, with the adapter away from zero."""
    settings = make_settings(
        training={"lora_dropout": dropout, "activation_gib": 0.0 if saving else None, "epochs": 1}
    )
    backbone = truncated()
    kept: dict[str, torch.Tensor] = {}
    original = torch.nn.utils.clip_grad_norm_

    def look(parameters: Any, clip: float) -> torch.Tensor:
        names = [n for n, p in backbone.model.named_parameters() if p.requires_grad]
        kept.update({n: p.grad.clone() for n, p in zip(names, parameters, strict=True)})
        return original(parameters, clip)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", look)
        train(backbone, HEADS, examples(), settings)
    return kept


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradient_checkpointing_gives_identical_gradients(dropout: float):
    """Of the last of several steps, so that those before it were identical too."""
    plain, saving = gradients(False, dropout), gradients(True, dropout)
    assert plain.keys() == saving.keys()
    assert all(value.abs().max() > 0 for value in plain.values())
    assert all(torch.equal(saving[name], value) for name, value in plain.items())


def in_16_bits(dtype: str = "bfloat16", **changes: Any) -> tuple[Backbone, TrainingResult]:
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, dtype=dtype)
    return backbone, train(backbone, HEADS, examples(), make_settings(training=changes))


def test_in_16_bits_what_is_trained_is_in_float32(monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, set[torch.dtype]] = {"gradient": set(), "moments": set(), "rows": set()}
    step, score = torch.optim.AdamW.step, stepper.list_loss

    def watch(self: torch.optim.AdamW, *rest: Any) -> Any:
        result = step(self, *rest)
        for parameter, state in self.state.items():
            seen["gradient"].add(parameter.grad.dtype)
            seen["moments"] |= {state["exp_avg"].dtype, state["exp_avg_sq"].dtype}
        return result

    def scored(scores: torch.Tensor, *rest: Any) -> Any:
        seen["rows"].add(scores.dtype)
        return score(scores, *rest)

    monkeypatch.setattr(torch.optim.AdamW, "step", watch)
    monkeypatch.setattr(stepper, "list_loss", scored)
    backbone, _ = in_16_bits(epochs=1)
    assert seen == {"gradient": {torch.float32}, "moments": {torch.float32}, "rows": {torch.float32}}
    kinds: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    for name, parameter in backbone.model.named_parameters():
        kinds["lora_" in name].add(parameter.dtype)
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}


def test_in_16_bits_training_is_close_to_float32():
    _, exact, curve = fit(training={"epochs": 2, "lora_dropout": 0.0})
    _, done = in_16_bits(epochs=2, lora_dropout=0.0)
    weights, expected = adapter_weights(done.model), adapter_weights(exact)
    assert all(torch.isfinite(w).all() for w in weights.values())
    assert np.isfinite(done.curve.loc[done.curve["split"] == "train", "loss"]).all()
    first, last = curve[curve["split"] == "heldout"].iloc[[0, -1]]["loss"]
    found = done.curve[done.curve["split"] == "heldout"]["loss"]
    assert last < 0.8 * first
    assert found.iloc[0] == pytest.approx(first, rel=0.05)
    assert found.iloc[-1] == pytest.approx(last, abs=0.15 * (first - last))
    # The same direction, except for rounding.
    moved = [torch.cat([w[n].flatten() for n in sorted(w) if "lora_B" in n]) for w in (weights, expected)]
    assert torch.cosine_similarity(*moved, dim=0) > 0.9


def test_the_lower_layers_run_twice_after_the_fallback(monkeypatch: pytest.MonkeyPatch):
    out_of_memory(monkeypatch, stepper, lambda backbone, call: call == 1)
    backbone = truncated()
    layer: Any = backbone.decoder.layers[0]  # type: ignore[union-attr,index]
    with count_calls({"mlp": layer.mlp}) as calls:
        train(backbone, HEADS, examples(), make_settings(training={"epochs": 1, "heldout_share": 0.0}))
    assert calls["mlp"] == 24


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_float16_is_warned_of(dtype: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    in_16_bits(dtype, epochs=1)
    warned = [r for r in caplog.records if "float16 loses small gradients" in r.getMessage()]
    assert len(warned) == (dtype == "float16")
