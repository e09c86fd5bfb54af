"""Every path of attention against one matrix in float64, for all kinds of layers, within a bound that is stated.

The bound on a mixed value follows from float32's rounding, u = 2^-24. A logit is a sum of ``width`` products, so that
its error is below (width + 8) u L, where L is the largest sum of their magnitudes. An error e in all logits of a row
changes each weight by 2e of itself, and adding K weighted values by (K + 8) u more. So, if all errors went one way,

    |error| <= u (2 (width + 8) L + K + 8) max|v|

and likewise without max|v| for weights. They go both ways, and a fiftieth of this bound is asked for (the largest error
found here is a 120th). Gradients have to agree to 2^-16 of the largest one (found: 2^-17.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.masking_utils import chunked_causal_mask_function, sliding_window_causal_mask_function

from headrank.engine import row_blocks, tiles
from headrank.engine.capture import Capture, Read
from headrank.engine.layer_masks import LayerMask
from headrank.engine.packing import Segment
from headrank.engine.row_blocks import attention_by_rows, masked_attention
from headrank.engine.softmax import Softmax
from headrank.engine.tiles import causal_attention

U = 2.0**-24
BOTH_WAYS = 50
GRADIENTS = 2.0**-16
# Rounding to bfloat16 (2^-8): weights before they meet the values, and the result.
HALF = 2.0**-8
CAN = torch.cpu.get_capabilities()
MODULES = {"avx512": CAN.get("avx512_bf16"), "avx2": CAN.get("avx2")}
REACH = 9
MASKS = {
    "causal": LayerMask(),
    "window": LayerMask(sliding_window_causal_mask_function(REACH), REACH),
    "chunks": LayerMask(chunked_causal_mask_function(REACH, torch.zeros(1, dtype=torch.int64)), REACH),
}


@dataclass(frozen=True)
class Shape:
    """heads: query heads; shared: how many of them read one key head; rows: the last of ``keys`` places."""

    heads: int
    shared: int
    width: int
    rows: int
    keys: int

    def states(self, size: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value as projections lay them out. size: of the logits."""
        draw = torch.Generator().manual_seed(self.heads * 1000 + self.rows + self.keys + self.width)
        shapes = [(self.heads, self.rows), *[(self.heads // self.shared, self.keys)] * 2]
        query, key, value = (
            torch.randn(1, count, heads, self.width, generator=draw).transpose(1, 2)
            for heads, count in shapes
        )
        return query * size, key, value

    @property
    def scaling(self) -> float:
        return float(self.width**-0.5)


# Single rows, blocks' edges (64 keys are a tile), rows behind a prefix; one key head for each, for some, for all heads.
SHAPES = [
    Shape(heads, shared, width, rows, keys)
    for heads, shared, width in ((4, 1, 16), (4, 2, 64), (6, 3, 24), (8, 8, 100))
    for rows, keys in ((1, 1), (1, 70), (63, 64), (65, 65), (30, 200))
]


def seen(mask: str, rows: Tensor, keys: Tensor) -> Tensor:
    """(rows, keys) of positions: what each row may see, written down once more."""
    distance = rows[:, None] - keys[None, :]
    visible = distance >= 0
    if mask == "window":
        visible &= distance < REACH
    elif mask == "chunks":
        visible &= rows[:, None] // REACH == keys[None, :] // REACH
    return visible


def exact(
    states: tuple[Tensor, ...], scaling: float, cap: float | None, sinks: Tensor | None, visible: Tensor
) -> tuple[Tensor, Tensor]:
    """Mixed values (1, rows, heads, width) and weights (heads, rows, keys) in float64."""
    query, key, value = (part.double() for part in states)
    shared = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(shared, dim=1) for part in (key, value))
    logits = query @ key.transpose(2, 3) * scaling
    if cap:
        logits = cap * torch.tanh(logits / cap)
    logits = logits.masked_fill(~visible, float("-inf"))
    top = logits.amax(dim=-1, keepdim=True)
    if sinks is not None:
        top = torch.maximum(top, sinks.double()[None, :, None, None])
    powers = (logits - top).exp()
    total = powers.sum(dim=-1, keepdim=True)
    if sinks is not None:
        total = total + (sinks.double()[None, :, None, None] - top).exp()
    weights = powers / total
    return (weights @ value).transpose(1, 2), weights[0]


def bound(states: tuple[Tensor, ...], scaling: float, weights: bool = False) -> float:
    query, key, value = (part.detach().double() for part in states)
    shared = query.shape[1] // key.shape[1]
    magnitudes = query.abs() @ key.repeat_interleave(shared, dim=1).abs().transpose(2, 3) * scaling
    width, keys = query.shape[-1], key.shape[2]
    whole = U * (2 * (width + 8) * float(magnitudes.max()) + keys + 8) / BOTH_WAYS
    return whole if weights else whole * float(value.abs().max())


def worst(found: Tensor, expected: Tensor) -> float:
    return float((found.detach().double() - expected.detach()).abs().max())


@pytest.fixture(params=MODULES)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if not MODULES[request.param]:
        pytest.skip(f"this processor has no {request.param}")
    try:
        module = import_module(f"headrank.engine.tiles.{request.param}")
    except ImportError:
        pytest.skip("the package was installed without a compiler")
    monkeypatch.setattr(tiles, "kernel", lambda: module)
    return module


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [0.1, 1.0, 12.0])
def test_tiles_and_their_gradients(compiled: Any, shape: Shape, size: float) -> None:
    states = tuple(part.requires_grad_() for part in shape.states(size))
    places = torch.arange(shape.keys)
    visible = seen("causal", places[shape.keys - shape.rows :], places)
    expected, _ = exact(states, shape.scaling, None, None, visible)
    found = causal_attention(*states, shape.scaling)
    assert worst(found, expected) <= bound(states, shape.scaling)
    agree(found, expected, states)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s.width % 2 == 0], ids=str)
def test_tiles_in_bfloat16(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    if not MODULES["avx512"]:
        pytest.skip("this processor does not multiply bfloat16")
    states = tuple(part.bfloat16() for part in shape.states())
    places = torch.arange(shape.keys)
    visible = seen("causal", places[shape.keys - shape.rows :], places)
    expected, _ = exact(states, shape.scaling, None, None, visible)
    found = causal_attention(*states, shape.scaling)
    assert worst(found, expected) <= HALF * float(states[2].double().abs().max())


class _Module(nn.Module):
    """What PyTorch's own attention asks of its layer."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.num_key_value_groups = groups


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("cap", [None, 1.5])
@pytest.mark.parametrize("sunk", [False, True], ids=["", "sinks"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_in_blocks_and_their_gradients(
    shape: Shape, mask: str, cap: float | None, sunk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_blocks, "ROWS", 24)
    draw = torch.Generator().manual_seed(1)
    sinks = torch.randn(shape.heads, generator=draw).mul(2).requires_grad_() if sunk else None
    states = tuple(part.requires_grad_() for part in shape.states())
    places = torch.arange(shape.keys)
    rows = places[shape.keys - shape.rows :]
    visible = seen(mask, rows, places)
    expected, _ = exact(states, shape.scaling, cap, sinks, visible)
    softmax = Softmax(shape.scaling, cap, sinks, MASKS[mask])
    module = _Module(shape.shared).eval()
    limit = bound(states, shape.scaling)
    for found in (
        attention_by_rows(module, states, softmax, (rows, places), 0.0),
        masked_attention(module, states, softmax, visible[None, None], 0.0),
    ):
        assert worst(found, expected) <= limit
        agree(found, expected, (*states, *((sinks,) if sunk else ())))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("cap", [None, 1.5])
@pytest.mark.parametrize("sunk", [False, True], ids=["", "sinks"])
@pytest.mark.parametrize("shape", [s for s in SHAPES if s.keys > s.rows], ids=str)
def test_rows_that_are_read_and_their_gradients(
    shape: Shape, mask: str, cap: float | None, sunk: bool
) -> None:
    """The rows of a branch behind a prefix, and what they say of the prefix on average."""
    draw = torch.Generator().manual_seed(1)
    sinks = torch.randn(shape.heads, generator=draw).mul(2).requires_grad_() if sunk else None
    states = tuple(part.requires_grad_() for part in shape.states())
    whole = torch.cat(
        [states[0].new_zeros(1, shape.heads, shape.keys - shape.rows, shape.width), states[0]], 2
    )
    prefix = shape.keys - shape.rows
    chosen = list(range(shape.heads))[::-2]
    capture = Capture(
        [Segment(0, prefix, (shape.rows,))], [Read(0, 0, 0, shape.rows)], {0: chosen}, keep_rows=True
    )
    capture.read(0, whole, states[1], Softmax(shape.scaling, cap, sinks, MASKS[mask]))
    places = torch.arange(shape.keys)
    _, weights = exact(states, shape.scaling, cap, sinks, seen(mask, places[prefix:], places))
    expected = weights[chosen]
    limit = bound(states, shape.scaling, weights=True)
    assert worst(capture.rows[0][0], expected) <= limit
    mass = expected[..., :prefix].mean(dim=1)
    assert worst(capture.mass[0][0], mass) <= limit
    agree(capture.mass[0][0], mass, (*states[:2], *((sinks,) if sunk else ())))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("sunk", [False, True], ids=["", "sinks"])
def test_padding_on_either_side_of_a_text(mask: str, sunk: bool) -> None:
    """Two texts of a batch, the shorter one with padding before or behind it: its real rows are as without."""
    shape = Shape(4, 2, 16, 40, 40)
    sinks = torch.tensor([0.5, -1.0, 3.0, 0.0]) if sunk else None
    first, second = shape.states(), shape.states(0.7)
    states = tuple(torch.cat(pair) for pair in zip(first, second, strict=True))
    for real in (slice(0, 29), slice(11, 40)):
        places = torch.arange(40)
        whole = seen(mask, places, places)
        inside = torch.zeros(40, dtype=torch.bool)
        inside[real] = True
        visible = torch.stack([whole, whole & inside[None, :] & inside[:, None]])[:, None]
        softmax = Softmax(shape.scaling, 1.5, sinks, MASKS[mask])
        found = masked_attention(_Module(2).eval(), states, softmax, visible, 0.0)
        assert found.isfinite().all()
        alone = tuple(part[:, :, real] for part in second)
        expected, _ = exact(alone, shape.scaling, 1.5, sinks, whole[real, real])
        assert worst(found[1:, real], expected) <= bound(alone, shape.scaling)
        expected, _ = exact(first, shape.scaling, 1.5, sinks, whole)
        assert worst(found[:1], expected) <= bound(first, shape.scaling)


def agree(found: Tensor, expected: Tensor, inputs: tuple[Tensor, ...]) -> None:
    """Gradients of a random sum of both, by every input."""
    slope = torch.randn(found.shape, generator=torch.Generator().manual_seed(3))
    ours = torch.autograd.grad((found * slope).sum(), inputs)
    theirs = torch.autograd.grad((expected * slope).sum(), inputs, retain_graph=True)
    largest = max(float(gradient.abs().max()) for gradient in theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert worst(one, other.double()) <= GRADIENTS * largest
