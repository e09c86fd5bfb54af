"""What each token goes through by itself (MLP, norms), a chunk of tokens at a time: its temporaries stay small.

An MLP widens every token three times over; for all tokens at once that is the most memory that a pass takes, and on a
processor it leaves the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# Bytes of a chunk's widest temporary: what a processor's cache holds; on a GPU, thousands of tokens.
BYTES = {"cpu": 4 << 20, "cuda": 256 << 20}
# Fewer tokens would leave matrix products too little to do.
LEAST = 256
_OF_LAYER = ("mlp", "input_layernorm", "post_attention_layernorm")
_OF_ATTENTION = ("q_norm", "k_norm")


class Chunked(nn.Module):
    """A module that maps (1, T, ...) to the same shape token by token, applied to some tokens at a time."""

    def __init__(self, module: nn.Module, tokens: int) -> None:
        super().__init__()
        self.module = module
        self.tokens = tokens

    def forward(self, states: Tensor) -> Tensor:
        output = torch.empty_like(states)
        for start in range(0, states.shape[1], self.tokens):
            chunk = slice(start, start + self.tokens)
            output[:, chunk] = self.module(states[:, chunk])
        return output


def chunk_tokens(decoder: nn.Module) -> int:
    """How many tokens go through an MLP at a time."""
    config: Any = decoder.config
    weight = next(decoder.parameters())
    widest = config.intermediate_size * weight.element_size()
    return max(LEAST, (BYTES.get(weight.device.type) or BYTES["cuda"]) // widest)


@contextmanager
def in_chunks(decoder: nn.Module, tokens: int) -> Iterator[None]:
    """Lets a pass over so many tokens go chunk by chunk where nothing but its result is wanted.

    With gradients the temporaries are kept anyway, and a pass of one chunk is left as it is.
    """
    size = chunk_tokens(decoder)
    if torch.is_grad_enabled() or tokens <= size:
        yield
        return
    places = [place for layer in decoder.layers for place in _places(layer)]  # type: ignore[union-attr]
    for owner, name, module in places:
        setattr(owner, name, Chunked(module, size))
    try:
        yield
    finally:
        for owner, name, module in places:
            setattr(owner, name, module)


def _places(layer: Any) -> list[tuple[Any, str, nn.Module]]:
    found = [(layer, name) for name in _OF_LAYER] + [(layer.self_attn, name) for name in _OF_ATTENTION]
    return [(owner, name, getattr(owner, name)) for owner, name in found if hasattr(owner, name)]
