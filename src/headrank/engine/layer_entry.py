"""Where a forward pass begins: at a layer whose incoming hidden states are known already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerEntry:
    """The first layer that runs, and the states that enter it, (1, T, hidden), of all packed tokens in order."""

    layer: int
    states: Tensor


def joined(entries: Sequence[LayerEntry]) -> LayerEntry | None:
    """The entry of prompts packed one after the other; None for none. Raises ValueError for different layers."""
    if len(entries) < 2:
        return entries[0] if entries else None
    layers = {entry.layer for entry in entries}
    if len(layers) > 1:
        raise ValueError(f"one pass cannot begin at layers {sorted(layers)}")
    return LayerEntry(layers.pop(), torch.cat([entry.states for entry in entries], dim=1))


@contextmanager
def begun_at(decoder: nn.Module, entry: LayerEntry | None) -> Iterator[None]:
    """Let the decoder's forward passes skip the layers below the entry, and pass the entry's states to its layer.

    Token ids are still embedded, but nothing reads the embeddings: models that scale them need no special treatment.
    The layers keep their places, because decoders look up a layer's properties (its window, its rotary positions) by
    its index.
    """
    if entry is None:
        yield
        return
    layers: Any = decoder.layers
    below = list(layers[: entry.layer])

    def pass_on(hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden_states

    def replace(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if arguments:
            return (entry.states, *arguments[1:]), named
        return arguments, {**named, "hidden_states": entry.states}

    hook = layers[entry.layer].register_forward_pre_hook(replace, with_kwargs=True)
    for layer in below:
        layer.forward = pass_on
    try:
        yield
    finally:
        for layer in below:
            del layer.forward
        hook.remove()
