"""Early stopping: keep the adapter's best state on the held-out queries, and decide when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Best:
    """The best epoch so far by a criterion (``loss`` or a column of the curve; ``none`` keeps no epoch)."""

    def __init__(self, criterion: str, parameters: Sequence[Tensor]) -> None:
        self.criterion = criterion
        self.parameters = parameters
        self.value = -math.inf
        self.epoch: int | None = None
        self.weights: list[Tensor] = []

    def offer(self, row: dict[str, float], epoch: int) -> None:
        """Remember the current weights if ``row`` is better than all before; among equals the earliest is kept."""
        if self.criterion == "none":
            return
        value = -row["loss"] if self.criterion == "loss" else row[self.criterion]
        if value > self.value:
            self.value, self.epoch = value, epoch
            self.weights = [p.detach().clone() for p in self.parameters]

    def waited(self, epoch: int, patience: int | None) -> bool:
        """Whether, at the end of ``epoch``, the best one lies ``patience`` epochs back or more."""
        return patience is not None and self.epoch is not None and epoch - self.epoch >= patience

    def restore(self) -> None:
        """Put the best weights back, if any were remembered."""
        if self.epoch is None:
            return
        with torch.no_grad():
            for parameter, weight in zip(self.parameters, self.weights, strict=True):
                parameter.copy_(weight)
