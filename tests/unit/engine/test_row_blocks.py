"""Attention by blocks of rows: windows, chunks, soft caps and sinks as in one matrix, and what it takes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.masking_utils import chunked_causal_mask_function, sliding_window_causal_mask_function

from headrank.engine import row_blocks
from headrank.engine.layer_masks import LayerMask
from headrank.engine.row_blocks import attention_by_rows, masked_attention
from headrank.engine.softmax import Softmax

MASKS = {
    "causal": LayerMask(),
    "window": LayerMask(sliding_window_causal_mask_function(6), 6),
    "chunks": LayerMask(chunked_causal_mask_function(6, torch.zeros(1, dtype=torch.int64)), 6),
}


class Module(nn.Module):
    num_key_value_groups = 2


MODULE = Module().eval()


def states(rows: int, keys: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(rows)
    shapes = [(batch, 4, rows, 8), (batch, 2, keys, 8), (batch, 2, keys, 8)]
    query, key, value = (torch.randn(shape, generator=draw) for shape in shapes)
    return query, key, value


def in_one_matrix(
    parts: Any, scaling: float, softcap: float | None, sinks: Any, visible: torch.Tensor
) -> torch.Tensor:
    query, key, value = parts
    logits = query @ key.repeat_interleave(2, dim=1).transpose(2, 3) * scaling
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    powers = logits.exp() * visible
    total = powers.sum(-1, keepdim=True)
    if sinks is not None:
        total = total + sinks.exp()[None, :, None, None]
    return (powers / total @ value.repeat_interleave(2, dim=1)).transpose(1, 2)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("softcap", [None, 0.7])
@pytest.mark.parametrize("sunk", [False, True])
@pytest.mark.parametrize("step", [1, 5, 256])
def test_rows_of_a_text(
    mask: str, softcap: float | None, sunk: bool, step: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(row_blocks, "ROWS", step)
    sinks = torch.tensor([0.5, -1.0, 3.0, 0.0]) if sunk else None
    softmax = Softmax(0.9, softcap, sinks, MASKS[mask])
    # The second branch behind a prefix of 14 tokens, of which 9 are kept: its rows stand behind the whole prefix.
    kept = torch.tensor([0, 1, 2, 5, 6, 7, 11, 12, 13])
    for rows, keys in [
        (torch.arange(23), torch.arange(23)),
        (torch.arange(14, 18), torch.cat([kept, torch.arange(14, 18)])),
    ]:
        parts = states(len(rows), len(keys))
        distance = rows[:, None] - keys[None, :]
        visible = distance >= 0
        if mask == "window":
            visible &= distance < 6
        elif mask == "chunks":
            visible &= rows[:, None] // 6 == keys[None, :] // 6
        expected = in_one_matrix(parts, 0.9, softcap, sinks, visible)
        found = attention_by_rows(MODULE, parts, softmax, (rows, keys), 0.0)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        given = masked_attention(MODULE, parts, softmax, visible[None, None], 0.0)
        torch.testing.assert_close(given, expected, atol=1e-5, rtol=0)


def test_gradients_through_a_block_are_those_of_the_matrix(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(row_blocks, "ROWS", 4)
    places, sinks = torch.arange(15), torch.randn(4).requires_grad_()
    parts = [part.requires_grad_() for part in states(15, 15)]
    softmax = Softmax(0.9, 0.7, sinks, MASKS["window"])
    slope = torch.randn(1, 15, 4, 8)
    distance = places[:, None] - places[None, :]
    expected = in_one_matrix(parts, 0.9, 0.7, sinks, (distance >= 0) & (distance < 6))
    wanted = torch.autograd.grad((expected * slope).sum(), [*parts, sinks])
    found = attention_by_rows(MODULE, tuple(parts), softmax, (places, places), 0.0)
    for one, other in zip(torch.autograd.grad((found * slope).sum(), [*parts, sinks]), wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_a_row_of_padding_stays_finite():
    parts = states(3, 3)
    visible = torch.tensor([[False, False, False], [False, True, False], [False, True, True]])[None, None]
    found = masked_attention(MODULE, parts, Softmax(1.0, softcap=2.0), visible, 0.0)
    assert found.isfinite().all()


class _Largest(TorchDispatchMode):
    """The most elements of any tensor that an operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, call: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        given = call(*arguments, **(named or {}))
        for one in given if isinstance(given, tuple | list) else (given,):
            if isinstance(one, torch.Tensor) and "view" not in str(call):
                self.elements = max(self.elements, one.numel())
        return given


@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("learning", [False, True])
def test_nothing_of_tokens_times_tokens_is_made(
    softcap: float | None, learning: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(row_blocks, "BYTES", 1 << 18)
    tokens, window = 1500, 32
    places = torch.arange(tokens)
    parts = tuple(part.requires_grad_(learning) for part in states(tokens, tokens))
    narrow = LayerMask(sliding_window_causal_mask_function(window), window)
    for mask in (narrow, LayerMask()):
        if mask.reach is None and softcap is None:
            continue  # that is PyTorch's own attention's
        with _Largest() as largest:
            mixed = attention_by_rows(MODULE, parts, Softmax(0.3, softcap, None, mask), (places, places), 0.0)
            if learning:
                mixed.sum().backward()
        states_size = 4 * tokens * 8
        assert largest.elements <= max(
            states_size, 4 * row_blocks.ROWS * (row_blocks.ROWS + window), (1 << 18) // 4
        )
        assert largest.elements < tokens * tokens / 8
