"""Hidden states below the first layer that is adapted or read: computed once, with the same adapter to the last bit."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support import KINDS, builder, checkpoint, count_calls, passages, tiny_backbone
from trainable import COMPRANK, HEADS, adapter_weights, examples, make_settings, truncated

from headrank.engine.backbone import load_backbone
from headrank.engine.forward import prompt_states
from headrank.engine.layer_entry import LayerEntry
from headrank.heads.head_set import HeadSet
from headrank.settings import TrainingSettings
from headrank.training import lower_states
from headrank.training.adapter import attach_lora
from headrank.training.loop import TrainingResult, train
from headrank.training.lower_states import LowerStates, first_adapted
from headrank.training.objective import score_list

pytestmark = pytest.mark.slow

# LoRA on layers 1 and 2: layer 0 never changes.
TRAINING: dict[str, Any] = {"modules": "chosen-qk", "epochs": 3, "lora_dropout": 0.1}


def fit(folder: Path | None = None, documents: str = "joint", **changes: dict[str, Any]) -> TrainingResult:
    settings = make_settings(**{**changes, "training": {**TRAINING, **changes.get("training", {})}})
    return train(truncated(), HEADS, examples(documents), settings, folder)


def weights(done: TrainingResult) -> dict[str, torch.Tensor]:
    return adapter_weights(done.model)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_that_begins_at_a_layer_reads_what_a_whole_pass_reads(kind: str):
    backbone, settings = tiny_backbone(kind), make_settings()
    heads = HeadSet("headrank", kind, 4, backbone.n_heads, ((3, 1), (2, 0)), (1.0, 0.5))
    prompt = builder(kind).build("red oak", passages(5))
    layers: Any = backbone.decoder.layers
    with torch.no_grad():
        whole = score_list(backbone, heads, prompt, settings)
        for layer in (0, 1, 2):
            states = prompt_states(backbone, prompt, ["query"], layer)
            assert states.shape[:2] == (1, len(prompt.prefix) + len(prompt.query.ids))
            with count_calls({str(i): layers[i].self_attn for i in range(4)}) as calls:
                cut = score_list(backbone, heads, prompt, settings, LayerEntry(layer, states))
            assert torch.equal(cut, whole)
            assert calls == {str(i): int(i >= layer) for i in range(4)}
        # The decoder is as it was.
        assert backbone.decoder.layers is layers
        assert torch.equal(score_list(backbone, heads, prompt, settings), whole)
        other = LayerEntry(1, torch.zeros_like(prompt_states(backbone, prompt, ["query"], 1)))
        assert not torch.equal(score_list(backbone, heads, prompt, settings, other), whole)
        with pytest.raises(ValueError, match=r"layers \[2\] were not reached"):
            score_list(backbone, heads, prompt, settings, replace(other, layer=3))
    assert backbone.decoder.layers is layers


def test_a_layer_is_left_even_when_the_pass_fails():
    backbone = truncated()
    layers: Any = backbone.decoder.layers
    prompt = examples()[0].prompt
    wrong = LayerEntry(1, torch.zeros(1, 3, 48))
    with pytest.raises(RuntimeError):
        score_list(backbone, HEADS, prompt, make_settings(), wrong)
    assert backbone.decoder.layers is layers
    assert not layers[1]._forward_pre_hooks


def test_the_first_adapted_layer():
    found = {}
    for modules in ("all", "qk", "chosen-qk"):
        found[modules] = first_adapted(attach_lora(truncated(), HEADS, TrainingSettings(modules=modules)))
    assert found == {"all": 0, "qk": 0, "chosen-qk": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pairs": {"remine": "epoch"}},
        {"pairs": {"remine": "step"}},
        {"training": {"activation_gib": 0.0}},
        {"training": {"batch_lists": 1, "early_stopping": "loss"}},
    ],
    ids=["plain", "mined-by-epoch", "mined-by-step", "checkpointing", "single"],
)
def test_the_adapter_is_the_same_to_the_last_bit(changes: dict[str, dict[str, Any]]):
    off, on = (
        fit(**{**changes, "training": {**changes.get("training", {}), "cache_gib": gib}})
        for gib in (0.0, 1.0)
    )
    assert off.curve.equals(on.curve)
    expected = weights(off)
    assert all(torch.equal(weights(on)[name], value) for name, value in expected.items())
    assert any(value.abs().max() > 0 for name, value in expected.items() if "lora_B" in name)


def test_a_head_below_the_first_adapted_layer_is_read():
    # The heads lie in layers 1 and 2, and only layer 2 is adapted.
    changes = {"first_layer": 0.5, "epochs": 2}
    off, on = (fit(training={**changes, "cache_gib": gib}) for gib in (0.0, 1.0))
    assert {int(name.split("layers.")[1].split(".")[0]) for name in weights(on)} == {2}
    assert off.curve.equals(on.curve)
    assert off.curve["loss"].notna().any()
    assert all(torch.equal(weights(on)[name], value) for name, value in weights(off).items())


def test_independent_passages_too():
    off, on = (fit(None, "independent", **COMPRANK, training={"cache_gib": gib}) for gib in (0.0, 1.0))
    assert off.curve.equals(on.curve)
    assert all(torch.equal(weights(on)[name], value) for name, value in weights(off).items())


def lower_passes(**training: Any) -> int:
    backbone = truncated()
    layer: Any = backbone.decoder.layers[0]  # type: ignore[union-attr,index]
    with count_calls({"lower": layer.self_attn}) as calls:
        train(backbone, HEADS, examples(), make_settings(training={**TRAINING, **training}))
    return calls["lower"]


def test_the_lower_layers_run_once_for_each_list():
    # Nine training lists of two samples in three epochs, the first of which comes round again; three held-out lists.
    assert lower_passes(cache_gib=0.0) == 3 * 9 + 4 * 3
    assert lower_passes(cache_gib=1.0) == 2 * 9 + 3


def test_states_beyond_the_memory_s_bound_lie_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    size = prompt_states(truncated(), examples()[0].prompt, ["query"], 1).numel() * 4
    most: list[int] = []
    original = LowerStates._keep

    def watch(self: LowerStates, *arguments: Any) -> None:
        original(self, *arguments)
        held = sum(s.numel() * s.element_size() for s in self._memory.values())
        assert held <= 3.5 * size
        most.append(len(list((tmp_path / "states").glob("*.safetensors"))))

    monkeypatch.setattr(LowerStates, "_keep", watch)
    # What a killed run has left there is not read.
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "0.safetensors").write_bytes(b"old")
    spilled = fit(tmp_path, training={"cache_gib": 3.5 * size / 2**30, "checkpoint_every": 0})
    assert max(most) > 3
    assert list(tmp_path.iterdir()) == []
    expected = weights(fit(training={"cache_gib": 0.0}))
    assert all(torch.equal(weights(spilled)[name], value) for name, value in expected.items())


@pytest.mark.parametrize("fault", ["full", "gone"])
def test_a_disk_that_fails_costs_time_alone(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    saved = []

    def fail(tensors: Any, path: Path) -> None:
        if fault == "full":
            raise OSError(28, "No space left on device", str(path))
        saved.append(path)

    monkeypatch.setattr(lower_states, "save_file", fail)
    caplog.set_level(logging.WARNING)
    found = weights(fit(tmp_path, training={"cache_gib": 1e-9}))
    assert all(torch.equal(found[n], v) for n, v in weights(fit(training={"cache_gib": 0.0})).items())
    lines = [r.getMessage() for r in caplog.records if "hidden states" in r.getMessage()]
    assert len(lines) == (1 if fault == "full" else 0)
    assert bool(saved) == (fault == "gone")


def test_memory_is_given_back_after_the_last_use():
    backbone, example = truncated(), examples()[0]
    lower = LowerStates(backbone, 1, {example.list_id: 3}, 1e9)
    states = [lower.entry(example) for _ in range(3)]
    assert all(torch.equal(a.states, states[0].states) for a in states)  # type: ignore[union-attr]
    assert (lower.room, lower._memory) == (1e9, {})
    # Once more than was foreseen (a step repeated): the whole pass.
    assert lower.entry(example) is None


def said(layer: int, uses: dict[int, int], room: float, **config: float) -> str:
    backbone = truncated()
    for name, value in config.items():
        setattr(backbone.model.config, name, value)
    lower = LowerStates(backbone, layer, uses, room)
    line = lower.describe(examples())
    kept = lower.entry(examples()[0]) is not None
    assert kept == line.startswith("the states")
    return line


def test_the_log_says_whether_and_why():
    assert said(1, {0: 2, 1: 1}, 2**30).startswith(
        "the states that enter layer 1, the first that is adapted or read, are kept for 1 lists, which are read"
    )
    whole = "every pass begins at the first layer: "
    assert said(1, {0: 2}, 0) == whole + "training.cache_gib is 0"
    first = "it is adapted, or a chosen head lies in it (training.modules, training.first_layer)"
    assert said(0, {0: 2}, 2**30) == whole + first
    assert said(1, {0: 1}, 2**30) == whole + "no list needs the states that enter layer 1 twice"
    # Each time another draw.
    dropping = said(1, {0: 2}, 2**30, attention_dropout=0.1)
    assert dropping == whole + "the model has dropout of its own below layer 1"


def test_in_16_bits_the_states_are_the_model_s():
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, dtype="bfloat16")
    prompt, settings = examples()[0].prompt, make_settings()
    states = prompt_states(backbone, prompt, ["query"], 1)
    assert states.dtype == torch.bfloat16
    with torch.no_grad():
        whole = score_list(backbone, HEADS, prompt, settings)
        assert torch.equal(score_list(backbone, HEADS, prompt, settings, LayerEntry(1, states)), whole)
