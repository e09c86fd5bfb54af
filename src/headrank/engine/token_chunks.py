"""Computes what treats each token separately (MLP, norms, rotary positions) in chunks, so that temporaries stay small.

An MLP makes every token three times as wide, and rotating the queries takes four temporaries of their size. For all
tokens at once, that would be the largest part of a pass's memory, and on a CPU it would not fit the cache.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# Bytes of a chunk's widest temporary: on a CPU what its cache holds, on a GPU thousands of tokens.
BYTES = {"cpu": 4 << 20, "cuda": 256 << 20}
# Chunks are multiples of this: with fewer tokens, matrix products are too small; with an irregular number of rows, such
# as 682, they run at three quarters of their rate on a CPU (docs/performance.md).
STEP = 512
_OF_LAYER = ("mlp", "input_layernorm", "post_attention_layernorm")
_OF_ATTENTION = ("q_norm", "k_norm")
_ROTARY = "apply_rotary_pos_emb"
# Its first parameters, in most architectures.
_TURNED = ["q", "k", "cos", "sin"]


class Chunked(nn.Module):
    """A module that maps (1, T, ...) to the same shape token by token, applied to some tokens at a time."""

    def __init__(self, module: nn.Module, tokens: int) -> None:
        super().__init__()
        self.module = module
        self.tokens = tokens

    def forward(self, states: Tensor) -> Tensor:
        first = self.module(states[:, : self.tokens])
        if not isinstance(first, Tensor):
            # Some expert layers return their router's choices too.
            return self.module(states)  # type: ignore[no-any-return]
        output = torch.empty_like(states)
        output[:, : self.tokens] = first
        for start in range(self.tokens, states.shape[1], self.tokens):
            chunk = slice(start, start + self.tokens)
            output[:, chunk] = self.module(states[:, chunk])
        return output


def chunk_tokens(decoder: nn.Module) -> int:
    """How many tokens go through an MLP at a time."""
    config: Any = decoder.config
    weight = next(decoder.parameters())
    # Expert layers name their widths differently; the size of a chunk is only an estimate anyway.
    widest = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    fitting = (BYTES.get(weight.device.type) or BYTES["cuda"]) // (widest * weight.element_size())
    found: int = max(STEP, fitting // STEP * STEP)
    return found


@contextmanager
def in_chunks(decoder: nn.Module, tokens: int) -> Iterator[None]:
    """Let a pass over so many tokens go chunk by chunk where only its result is needed.

    With gradients, where the temporaries are kept anyway, and for a pass of one chunk, nothing changes.
    """
    size = chunk_tokens(decoder)
    if torch.is_grad_enabled() or tokens <= size:
        yield
        return
    layers: Any = decoder.layers
    places = [place for layer in layers for place in _places(layer)] + _rotary(layers[0])
    for owner, name, module in places:
        setattr(
            owner, name, Chunked(module, size) if isinstance(module, nn.Module) else turning(module, size)
        )
    try:
        yield
    finally:
        for owner, name, module in places:
            setattr(owner, name, module)


def turning(turn: Callable[..., tuple[Tensor, Tensor]], tokens: int) -> Callable[..., tuple[Tensor, Tensor]]:
    """transformers' ``apply_rotary_pos_emb`` for some tokens at a time, in place: the old states are not used again."""

    def apply(
        q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, *others: Any, **named: Any
    ) -> tuple[Tensor, Tensor]:
        if others or named:
            return turn(q, k, cos, sin, *others, **named)
        for start in range(0, q.shape[2], tokens):
            own = slice(start, start + tokens)
            q[:, :, own], k[:, :, own] = turn(q[:, :, own], k[:, :, own], cos[:, own], sin[:, own])
        return q, k

    return apply


def _places(layer: Any) -> list[tuple[Any, str, Any]]:
    attention = getattr(layer, "self_attn", None)
    found = [(layer, name) for name in _OF_LAYER] + [(attention, name) for name in _OF_ATTENTION]
    places = [(owner, name, getattr(owner, name, None)) for owner, name in found]
    return [(*place, module) for *place, module in places if module is not None and _called(module)]


def _called(module: nn.Module) -> bool:
    """Whether a module can be called, unlike a list of modules."""
    return not isinstance(module, nn.ModuleList | nn.ModuleDict)


def _rotary(layer: Any) -> list[tuple[Any, str, Any]]:
    """Where the layer's attention looks up its rotary function: in its architecture's file in transformers."""
    module = sys.modules[type(layer).__module__]
    turn = getattr(module, _ROTARY, None)
    if turn is None or list(inspect.signature(turn).parameters)[:4] != _TURNED:
        return []
    return [(module, _ROTARY, turn)]
