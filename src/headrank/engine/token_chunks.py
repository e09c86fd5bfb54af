"""What each token goes through by itself (MLP, norms, rotary positions), a chunk at a time: temporaries stay small.

An MLP widens every token three times over, and turning the queries takes four temporaries of their size; for all tokens
at once that is the most memory that a pass takes, and on a processor it leaves the cache.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# Bytes of a chunk's widest temporary: what a processor's cache holds; on a GPU, thousands of tokens.
BYTES = {"cpu": 4 << 20, "cuda": 256 << 20}
# Chunks are multiples of this: with fewer tokens products have too little to do, and of an odd number of rows, such as
# 682, they run at three quarters of their rate on a processor (docs/performance.md).
STEP = 512
_OF_LAYER = ("mlp", "input_layernorm", "post_attention_layernorm")
_OF_ATTENTION = ("q_norm", "k_norm")
_ROTARY = "apply_rotary_pos_emb"
# What it turns, in most architectures.
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
            # Some experts' layers give their router's choices too.
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
    # Experts have widths under other names; what a chunk takes is rough anyway.
    widest = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    fitting = (BYTES.get(weight.device.type) or BYTES["cuda"]) // (widest * weight.element_size())
    found: int = max(STEP, fitting // STEP * STEP)
    return found


@contextmanager
def in_chunks(decoder: nn.Module, tokens: int) -> Iterator[None]:
    """Lets a pass over so many tokens go chunk by chunk where nothing but its result is wanted.

    With gradients the temporaries are kept anyway, and a pass of one chunk is left as it is.
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
    """transformers' ``apply_rotary_pos_emb`` of some tokens at a time, in place: nobody needs the states before it."""

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
    """Whether it is a module to be called, and no list of such."""
    return not isinstance(module, nn.ModuleList | nn.ModuleDict)


def _rotary(layer: Any) -> list[tuple[Any, str, Any]]:
    """Where the layer's attention looks its rotary function up: its architecture's file in transformers."""
    module = sys.modules[type(layer).__module__]
    turn = getattr(module, _ROTARY, None)
    if turn is None or list(inspect.signature(turn).parameters)[:4] != _TURNED:
        return []
    return [(module, _ROTARY, turn)]
