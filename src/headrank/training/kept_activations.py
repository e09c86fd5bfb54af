"""Which layers' activations a pass with gradients keeps for its way back, and which it computes again there."""

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
    """layers: those with gradients that are run to their end. each: bytes that one of them keeps for a token. room:
    bytes for all that is kept in a pass.
    """

    layers: range
    each: float
    room: float

    @classmethod
    def of(cls, backbone: Backbone, first: int, deepest: int, gib: float | None) -> Activations:
        """Of a backbone that is adapted from layer ``first`` on and read up to ``deepest``, not run to its end.

        gib: ``training.activation_gib``.
        """
        weight = next(backbone.model.parameters())
        config: Any = backbone.model.config
        each = activation_bytes(Shape.of(config.to_dict()), weight.element_size())
        return cls(range(first, deepest), each, activation_room(gib, weight.device.type))

    def recomputed(self, tokens: int) -> range:
        """The layers that a pass over so many tokens computes again on the way back.

        They are the lowest: what the upper ones keep is given back before the lower ones need room for their work.
        """
        kept = self.room // (self.each * tokens) if math.isfinite(self.room) else math.inf
        return self.layers[: max(0, len(self.layers) - int(min(kept, len(self.layers))))]

    def describe(self, tokens: int) -> str:
        """One line for the log, for a run whose longest pass has so many tokens."""
        recomputed = len(self.recomputed(tokens))
        size = len(self.layers) * self.each * tokens / 2**30
        line = f"{len(self.layers)} layers' activations take {size:.1f} GiB in the longest pass ({tokens} tokens)"
        if recomputed:
            line += f"; {self.room / 2**30:.1f} are to be had, so that {recomputed} layers are computed again"
        return line


def checkpoint_layers(backbone: Backbone, layers: Iterable[int]) -> None:
    """Gradient checkpointing of these layers, and of no others, in the passes with gradients that follow."""
    every: Any = backbone.decoder.layers
    chosen = set(layers)
    if chosen and not hasattr(every[0], "_gradient_checkpointing_func"):
        with warnings.catch_warnings():
            # transformers has renamed it, not in every version that will do.
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing_enable.*deprecated")
            backbone.model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        # Else the embeddings ask for a gradient, and with them all layers below the first that is trained.
        backbone.model.disable_input_require_grads()  # type: ignore[operator]
    for number, layer in enumerate(every):
        layer.gradient_checkpointing = number in chosen
