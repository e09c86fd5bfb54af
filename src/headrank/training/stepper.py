"""One optimiser step over a few lists, and what is done if one of them does not fit into memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from headrank.engine.backbone import Backbone
from headrank.errors import RunError
from headrank.heads.head_set import HeadSet
from headrank.process.heap import give_back
from headrank.settings import Settings
from headrank.training.examples import Example
from headrank.training.kept_activations import Activations, checkpoint_layers
from headrank.training.lower_states import LowerStates
from headrank.training.memory import RandomState, TooLarge, fits, passes, tokens
from headrank.training.objective import list_loss, mean_row, score_examples, with_pairs

logger = logging.getLogger(__name__)
# Bytes of the heap that may stay free after a step; beyond this, free pages go back to the system.
_FREE = 1 << 30


class Stepper:
    """Takes optimiser steps; ``saving``: whether every layer is recomputed, as far as that saves memory."""

    def __init__(
        self,
        backbone: Backbone,
        heads: HeadSet,
        settings: Settings,
        lower: LowerStates,
        parameters: Sequence[Tensor],
        optimiser: torch.optim.Optimizer,
        random: RandomState,
    ) -> None:
        self.backbone, self.heads, self.settings, self.lower = backbone, heads, settings, lower
        self.parameters, self.optimiser, self.random = parameters, optimiser, random
        self.activations = Activations.of(
            backbone, lower.layer, heads.deepest, settings.training.activation_gib
        )
        self.tokens_per_pass = settings.training.tokens_per_pass
        self.saving = not self.activations.room

    def describe(self, examples: Sequence[Example]) -> str:
        """One line for the log: what the activations of the longest list take, and what is done about it."""
        return self.activations.describe(max(map(tokens, examples)))

    def save_memory(self) -> None:
        """Keep no activations from here on."""
        self.saving = True
        checkpoint_layers(self.backbone, self.activations.layers)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def step(self, batch: Sequence[Example], number: int) -> dict[str, float]:
        """One step; returns the batch's mean row of the curve.

        A step that does not fit into memory is repeated with the same dropout: with one list per pass if passes held
        more, otherwise with gradient checkpointing. If that is already on, TooLarge is raised. Raises InputError for a
        loss or gradient that is not finite.
        """
        before = self.random.read()
        rows: list[dict[str, float]] = []
        while not rows:
            try:
                rows = self._backward(batch, number)
            except TooLarge as error:
                if self.saving and not self.tokens_per_pass:
                    raise
                way = "one list per pass" if self.tokens_per_pass else "gradient checkpointing"
                logger.warning("step %d is repeated with %s, used from here on: %s", number, way, error)
            # Outside the handler, where nothing holds the tensors of the failed pass any more.
            if not rows:
                self._save_more()
                self.random.write(before)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.training.clip)
        if not torch.isfinite(norm):
            lists = ", ".join(str(e.list_id) for e in batch)
            raise RunError(f"training: the gradient is not finite at step {number}, lists {lists}")
        self.optimiser.step()
        # Only once per step: the next step maps the pages that it needs again.
        give_back(_FREE)
        return mean_row(rows)

    def _save_more(self) -> None:
        if self.tokens_per_pass:
            self.tokens_per_pass = 0
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        else:
            self.save_memory()

    def _backward(self, batch: Sequence[Example], number: int) -> list[dict[str, float]]:
        """The gradient of the batch's mean loss, pass by pass."""
        # Gradients are kept from step to step: if allocated during the backward pass, each would take a piece of the
        # space that a larger tensor has left, so that the next tensor of that size would need new memory (a gigabyte
        # for 20 wide layers).
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.zero_()
        rows = []
        for part in passes(batch, self.tokens_per_pass):
            fitting = self.activations.recomputed(sum(map(tokens, part)))
            checkpoint_layers(self.backbone, self.activations.layers if self.saving else fitting)
            with fits(part, self.saving):
                scored = score_examples(self.backbone, self.heads, part, self.settings, self.lower)
                losses = []
                for example, scores in zip(part, scored, strict=True):
                    loss, row = self._loss(example, scores, number)
                    losses.append(loss)
                    rows.append(row)
                (torch.stack(losses).sum() / len(batch)).backward()
        return rows

    def _loss(self, example: Example, scores: Tensor, number: int) -> tuple[Tensor, dict[str, float]]:
        if self.settings.pairs.remine == "step":
            example = with_pairs(example, scores, self.settings, [self.settings.training.seed, number])
        loss, row = list_loss(scores, example, self.settings)
        if not math.isfinite(row["loss"]):
            raise RunError(f"training: the loss is not finite at step {number}, list {example.list_id}")
        return loss, row
