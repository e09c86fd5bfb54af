"""Lists that share a forward and backward pass in training: fewer passes, the same lesson."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import count_calls
from trainable import COMPRANK, HEADS, adapter_weights, examples, make_settings, truncated

from headrank.engine.layer_entry import LayerEntry, joined
from headrank.training.loop import TrainingResult, train
from headrank.training.lower_states import LowerStates
from headrank.training.memory import passes, tokens
from headrank.training.objective import score_examples


def trained(per_pass: int, documents: str = "joint", **changes: dict[str, Any]) -> tuple[TrainingResult, int]:
    """What was trained, and how often the lowest layer ran."""
    given = {"lora_dropout": 0.0, "tokens_per_pass": per_pass, **changes.pop("training", {})}
    backbone = truncated()
    layer: Any = backbone.decoder.layers[0]  # type: ignore[union-attr,index]
    with count_calls({"lowest": layer.self_attn}) as calls:
        done = train(backbone, HEADS, examples(documents), make_settings(**changes, training=given))
    return done, calls["lowest"]


@pytest.mark.parametrize("modules", ["all", "qk", "chosen-qk"])
def test_the_same_is_learnt_in_fewer_passes(modules: str):
    alone, many = trained(0, training={"modules": modules})
    packed, few = trained(10**6, training={"modules": modules})
    # Two epochs of nine lists in steps of three, and three held-out lists before and after each. Where the states of
    # held-out lists are kept, the first pass over each of them is a pass by itself.
    assert many == (2 * 9 + 3 if modules == "chosen-qk" else 2 * 9 + 3 * 3)
    assert few == 2 * 3 + 3
    torch.testing.assert_close(
        torch.tensor(packed.curve[["loss", "pair_accuracy"]].to_numpy()),
        torch.tensor(alone.curve[["loss", "pair_accuracy"]].to_numpy()),
        rtol=1e-3,
        atol=1e-4,
        equal_nan=True,
    )
    for name, value in adapter_weights(alone.model).items():
        torch.testing.assert_close(adapter_weights(packed.model)[name], value, rtol=1e-2, atol=1e-3)


def test_independent_passages_too():
    (alone, _), (packed, few) = (trained(n, "independent", **COMPRANK) for n in (0, 10**6))
    assert few == 2 * 3 + 3
    for name, value in adapter_weights(alone.model).items():
        torch.testing.assert_close(adapter_weights(packed.model)[name], value, rtol=1e-2, atol=1e-3)


def test_a_pass_holds_what_fits():
    lists = examples()[:5]
    sizes = [tokens(example) for example in lists]
    assert [len(part) for part in passes(lists, 0)] == [1] * 5
    assert [len(part) for part in passes(lists, sum(sizes))] == [5]
    assert [len(part) for part in passes(lists, sum(sizes) - 1)] == [4, 1]
    assert [e for part in passes(lists, sizes[0] + sizes[1]) for e in part] == list(lists)
    assert list(passes([], 100)) == []


@torch.no_grad()
def test_lists_whose_lower_states_are_known_stand_beside_others():
    backbone, settings = truncated(), make_settings()
    lists = examples()[:4]
    lower = LowerStates(backbone, 1, {lists[1].list_id: 2, lists[2].list_id: 2}, 1e9)
    apart = [score_examples(backbone, HEADS, [example], settings)[0] for example in lists]
    for _ in range(2):
        together = score_examples(backbone, HEADS, lists, settings, lower)
        for one, other in zip(together, apart, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(apart[1], apart[2])


def test_a_pass_begins_at_one_layer():
    states = torch.zeros(1, 2, 3)
    assert joined([]) is None
    assert joined([LayerEntry(1, states), LayerEntry(1, states)]).states.shape == (1, 4, 3)
    with pytest.raises(ValueError, match=r"layers \[1, 2\]"):
        joined([LayerEntry(1, states), LayerEntry(2, states)])
