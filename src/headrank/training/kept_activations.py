"""Which layers' activations a pass with gradients keeps for the backward pass, and which it recomputes there."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headrank.cost.multiply_adds import Shape
from headrank.cost.predict import activation_bytes, activation_room
from headrank.engine.backbone import Backbone


@dataclass(frozen=True)
class Activations:
    """layers: those with gradients that run to their end. each: bytes that one of them keeps per token. room: bytes for
    everything that a pass keeps.
    """

    layers: range
    each: float
    room: float

    @classmethod
    def of(cls, backbone: Backbone, first: int, deepest: int, gib: float | None) -> Activations:
        """For a backbone adapted from layer ``first`` on and read up to ``deepest``, which does not run to its end.

        gib: ``training.activation_gib``.
        """
        weight = next(backbone.model.parameters())
        config: Any = backbone.model.config
        each = activation_bytes(Shape.of(config.to_dict()), weight.element_size())
        return cls(range(first, deepest), each, activation_room(gib, weight.device.type))

    def recomputed(self, tokens: int) -> range:
        """The layers that a pass over this many tokens recomputes in its backward part.

        They are the lowest ones: the upper layers free what they keep before the lower ones need memory to recompute.
        """
        kept = self.room // (self.each * tokens) if math.isfinite(self.room) else math.inf
        return self.layers[: max(0, len(self.layers) - int(min(kept, len(self.layers))))]

    def describe(self, tokens: int) -> str:
        """One line for the log, for a run whose longest pass has this many tokens."""
        recomputed = len(self.recomputed(tokens))
        size = len(self.layers) * self.each * tokens / 2**30
        line = f"{len(self.layers)} layers' activations take {size:.1f} GiB in the longest pass ({tokens} tokens)"
        if recomputed:
            line += f"; {self.room / 2**30:.1f} GiB are available, so {recomputed} layers are recomputed"
        return line


def checkpoint_layers(backbone: Backbone, layers: Iterable[int]) -> None:
    """Turn on gradient checkpointing for these layers, and no others, in the passes with gradients that follow."""
    every: Any = backbone.decoder.layers
    chosen = set(layers)
    if chosen and not hasattr(every[0], "_gradient_checkpointing_func"):
        with warnings.catch_warnings():
            # transformers has renamed this method, but not in every version that is supported.
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing_enable.*deprecated")
            backbone.model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        # Otherwise the embeddings require a gradient, and with them all layers below the first trained one.
        backbone.model.disable_input_require_grads()  # type: ignore[operator]
    for number, layer in enumerate(every):
        layer.gradient_checkpointing = number in chosen
