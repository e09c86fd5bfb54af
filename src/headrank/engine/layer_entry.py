"""Where a forward pass begins: at a layer whose incoming hidden states are known already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Entrance:
    """The first layer that runs, and the states that enter it, (1, T, hidden), of all packed tokens in order."""

    layer: int
    states: Tensor


def joined(entrances: Sequence[Entrance]) -> Entrance | None:
    """Those of prompts that are packed one behind the other; None of none. Raises ValueError for different layers."""
    if len(entrances) < 2:
        return entrances[0] if entrances else None
    layers = {entrance.layer for entrance in entrances}
    if len(layers) > 1:
        raise ValueError(f"one pass cannot begin at layers {sorted(layers)}")
    return Entrance(layers.pop(), torch.cat([entrance.states for entrance in entrances], dim=1))


@contextmanager
def begun_at(decoder: nn.Module, entrance: Entrance | None) -> Iterator[None]:
    """Lets the decoder's forward passes leave out the layers below the entrance, and hands its states to that layer.

    Token ids are still embedded, but nothing reads the embeddings: models that scale them need no care. The layers keep
    their places, as decoders look up what a layer is (its window, its rotary positions) by its index.
    """
    if entrance is None:
        yield
        return
    layers: Any = decoder.layers
    below = list(layers[: entrance.layer])

    def pass_on(hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden_states

    def replace(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if arguments:
            return (entrance.states, *arguments[1:]), named
        return arguments, {**named, "hidden_states": entrance.states}

    hook = layers[entrance.layer].register_forward_pre_hook(replace, with_kwargs=True)
    for layer in below:
        layer.forward = pass_on
    try:
        yield
    finally:
        for layer in below:
            del layer.forward
        hook.remove()
