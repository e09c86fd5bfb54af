"""What training keeps for its way back: by budget, equal to the last bit, and as much as is said."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from support import checkpoint, count_calls, tiny_config, write_checkpoint
from trainable import HEADS, adapter_weights, examples, fit, make_settings, truncated

from headrank.cost.multiply_adds import Shape
from headrank.cost.predict import ROOM, activation_bytes, activation_room, training_bytes
from headrank.engine.backbone import load_backbone
from headrank.heads.head_set import HeadSet
from headrank.training.adapter import attach_lora
from headrank.training.kept_activations import Activations, checkpoint_layers
from headrank.training.loop import train
from headrank.training.memory import tokens
from headrank.training.objective import score_list

pytestmark = pytest.mark.slow

# Read deeper than the shared world's heads, so that several layers lie below.
DEEP = HeadSet("headrank", "tiny", 4, 4, ((3, 1), (1, 2)), (1.0, 0.5))


def gib_for(layers: float, dtype: str = "float32") -> float:
    """Room for so many layers' activations in a pass over the longest list."""
    backbone = load_backbone(checkpoint("qwen3"), dtype=dtype)
    each = Activations.of(backbone, 0, 3, None).each
    return layers * each * max(map(tokens, examples())) / 2**30


def trained(
    gib: float | None, dtype: str, **changes: Any
) -> tuple[dict[str, torch.Tensor], Any, dict[str, int]]:
    """Adapter, curve, and how often each layer's MLP was run."""
    backbone = load_backbone(checkpoint("qwen3"), dtype=dtype)
    settings = make_settings(training={"epochs": 1, "lora_dropout": 0.2, "activation_gib": gib, **changes})
    layers: Any = backbone.decoder.layers
    with count_calls({str(i): layer.mlp for i, layer in enumerate(layers)}) as calls:
        done = train(backbone, DEEP, examples(), settings)
    return adapter_weights(done.model), done.curve, calls


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_layers_are_recomputed_by_budget_and_nothing_else_changes(dtype: str):
    weights, curve, plain = trained(None, dtype, heldout_share=0.0)
    # The whole chain of steps, so that the gradients of all of them were equal.
    assert any(value.abs().max() > 0 for name, value in weights.items() if "lora_B" in name)
    assert plain == {"0": 12, "1": 12, "2": 12, "3": 0}
    for layers, again in ((2.01, {"0"}), (1.01, {"0", "1"}), (0.5, {"0", "1", "2"}), (0, {"0", "1", "2"})):
        found, other, calls = trained(gib_for(layers, dtype), dtype, heldout_share=0.0)
        assert other.equals(curve)
        assert all(torch.equal(found[name], value) for name, value in weights.items())
        # A shorter list may have room for one layer more.
        more = {name: calls[name] - plain[name] for name in calls if calls[name] > plain[name]}
        assert set(more) == again
        assert 1 <= min(more.values()) <= max(more.values()) == 12 or len(again) == 1


def test_the_lowest_layers_are_recomputed():
    activations = Activations(range(3, 21), each=100.0, room=10_000.0)
    assert activations.recomputed(10) == range(3, 11)
    assert activations.recomputed(5) == range(3, 3)
    assert activations.recomputed(10_000) == range(3, 21)
    assert Activations(range(3, 21), 100.0, float("inf")).recomputed(10**9) == range(3, 3)
    assert Activations(range(3, 21), 100.0, 0.0).recomputed(1) == range(3, 21)


def test_a_processor_has_a_bound_where_nothing_is_said():
    assert activation_room(None, "cpu") == ROOM
    assert activation_room(None, "cuda") == float("inf")
    assert activation_room(0.5, "cuda") == 2**29
    assert activation_room(0, "cpu") == 0


def test_the_log_says_what_is_recomputed(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    trained(gib_for(1.01), "float32")
    longest = max(map(tokens, examples()))
    (line,) = [r.getMessage() for r in caplog.records if "activations" in r.getMessage()]
    assert line.startswith("3 layers' activations take 0.0 GiB in the longest pass")
    assert f"({longest} tokens)" in line
    assert line.endswith("so 2 layers are recomputed")


def saved_bytes(dtype: str, kind: str, tmp_path: Any) -> tuple[float, float]:
    """Per token and layer, what autograd keeps in wide layers, and what the arithmetic says."""
    sizes = {
        "hidden_size": 256,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 1024,
    }
    config = tiny_config(kind, layers=3, **sizes, **({"head_dim": 64} if kind == "qwen3" else {}))
    backbone = load_backbone(write_checkpoint(tmp_path / kind, config), dtype=dtype)
    heads = HeadSet("headrank", kind, 3, 4, ((2, 1),), (1.0,))
    settings = make_settings(training={"lora_dropout": 0.1})
    attach_lora(backbone, heads, settings.training).train()
    prompt = examples()[0].prompt
    length = tokens(examples()[0])
    kept: dict[int, tuple[torch.UntypedStorage, bool]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept.setdefault(storage.data_ptr(), (storage, isinstance(tensor, torch.nn.Parameter)))
        return tensor

    def measure(layers: range) -> int:
        kept.clear()
        checkpoint_layers(backbone, layers)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            score_list(backbone, heads, prompt, settings)
        parameters = {p.untyped_storage().data_ptr() for p in backbone.model.parameters()}
        return sum(s.nbytes() for place, (s, _) in kept.items() if place not in parameters)

    # A checkpointed layer keeps the states that enter it, which are kept here by the layer below.
    each = (measure(range(0)) - measure(range(1))) / length
    return each, activation_bytes(Shape.of(config.to_dict()), 2 if dtype == "bfloat16" else 4)


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_arithmetic_says_what_autograd_keeps(dtype: str, kind: str, tmp_path: Any):
    found, said = saved_bytes(dtype, kind, tmp_path)
    assert found < said < 1.3 * found


def test_layers_that_are_not_adapted_keep_nothing():
    """Their states need no gradient, whether layers above them are checkpointed or not."""
    for gib in (None, 0.0):
        backbone = truncated()
        made: list[torch.Tensor] = []
        layer: Any = backbone.decoder.layers[0]  # type: ignore[union-attr,index]
        handle = layer.register_forward_hook(lambda *given: made.append(given[2]))  # noqa: B023
        settings = make_settings(
            training={"modules": "chosen-qk", "cache_gib": 0.0, "activation_gib": gib, "heldout_share": 0.0}
        )
        train(backbone, HEADS, examples(), settings)
        handle.remove()
        assert len(made) == 24  # two epochs of twelve lists, none of them twice
        assert not any(states.requires_grad for states in made)


def test_memory_of_training_by_hand():
    shape = Shape(28, 1536, 8960, 12, 2, 128, 151936)
    each = 2 * (6 * 1536 + 4 * 1536 + 4 * 256 + 4 * 8960)
    assert training_bytes(shape, 20, 5751, 2, 0) == 4 * 5751 * each
    assert training_bytes(shape, 20, 5751, 2, 1000) == 24 * 5751 * each
    assert training_bytes(shape, 20, 5751, 2) == 3 * 2**30 + 4 * 5751 * each
    assert training_bytes(shape, 20, 5751, 2, device="cuda") == 24 * 5751 * each


def test_no_room_is_checkpointing_of_all_layers_but_the_last():
    backbone, _, _ = fit(training={"epochs": 1, "activation_gib": 0})
    layers: Any = backbone.decoder.layers
    assert [bool(layer.gradient_checkpointing) for layer in layers] == [True, True, False]
