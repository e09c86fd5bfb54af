"""Multiply-adds against counts worked out from the shapes, and against torch's own counter."""

from __future__ import annotations

import pytest
import torch
from support import checkpoint, tiny_backbone, tiny_config
from torch.utils.flop_counter import FlopCounterMode

from headrank.cost.multiply_adds import (
    Shape,
    deepest_layer_operations,
    full_operations,
    layer_operations,
    truncated_operations,
)
from headrank.errors import InputError

SHAPE = Shape(layers=3, hidden=8, intermediate=20, heads=4, kv_heads=2, head_dim=2)


def test_one_layer_by_hand():
    # Per token: q and o 8x8 each, k and v 8x4 each, three MLP matrices of 8x20; attention over 1 + 2 + ... + 5 keys.
    expected = 5 * (2 * 64 + 2 * 32 + 3 * 160) + 2 * 8 * 15
    assert layer_operations(SHAPE, 5) == expected
    assert full_operations(SHAPE, 5) == 3 * expected


def test_the_deepest_layer_by_hand():
    # Keys of five tokens, queries of two rows, and what the two rows of three heads meet.
    expected = 5 * 32 + 2 * 64 + 2 * 5 * 3 * 2
    assert deepest_layer_operations(SHAPE, 5, rows=2, heads=3) == expected
    assert truncated_operations(SHAPE, 2, 5, rows=2, heads=3) == layer_operations(SHAPE, 5) + expected
    assert truncated_operations(SHAPE, 1, 5, rows=2, heads=3) == expected


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@torch.no_grad()
def test_projections_and_mlp_as_torch_counts_them(kind: str):
    shape = Shape.of(tiny_config(kind).to_dict())
    backbone = tiny_backbone(kind)
    with FlopCounterMode(display=False) as counter:
        backbone.decoder(input_ids=torch.ones(1, 7, dtype=torch.long), use_cache=False)
    counted = sum(n for op, n in counter.get_flop_counts()["Global"].items() if "mm" in str(op)) / 2
    q = shape.heads * shape.head_dim
    attention = shape.layers * 2 * q * 7 * 8 / 2
    products = full_operations(shape, 7) - attention
    # Rotary tables are a matrix product too, of one head's width at most.
    assert products <= counted <= products + 7 * shape.head_dim


def test_shapes_come_from_the_configuration():
    import json

    stored = json.loads((checkpoint("qwen3") / "config.json").read_text())
    assert Shape.of(stored) == Shape(4, 48, 80, 4, 2, 16, stored["vocab_size"])
    bare = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
    assert Shape.of(bare) == Shape(2, 32, 64, 4, 4, 8)


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_attention_heads", 0), ("hidden_size", "32"), ("num_hidden_layers", None), ("vocab_size", [])],
)
def test_a_size_that_is_no_count_is_refused_by_name(name: str, value: object):
    bare = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
    with pytest.raises(InputError, match=f"{name}: expected"):
        Shape.of({**bare, name: value})
