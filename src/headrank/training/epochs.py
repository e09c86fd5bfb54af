"""What a training run will read: the lists of each epoch, the held-out ones, and how often each is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrank.errors import UsageError
from headrank.settings import Settings
from headrank.training.examples import Example, split_queries


@dataclass(frozen=True)
class Schedule:
    """epochs: the lists of each epoch; batches: the number of optimiser steps of each; held: the held-out lists."""

    epochs: tuple[tuple[Example, ...], ...]
    batches: tuple[int, ...]
    held: tuple[Example, ...]

    @property
    def steps(self) -> int:
        return sum(self.batches)

    @property
    def lists(self) -> tuple[Example, ...]:
        """Every list that is read, as often as it occurs in the plan."""
        return (*self.held, *(e for chosen in self.epochs for e in chosen))

    def order(self, epoch: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """The indices of an epoch's lists (epochs from 1), batch by batch, in random order."""
        # Batches of equal size, give or take one: a last batch of one list would be a step of pure noise.
        return np.array_split(rng.permutation(len(self.epochs[epoch - 1])), self.batches[epoch - 1])

    def reads(self, per_epoch: int) -> Counter[int]:
        """How often each list is read, by list id, if an epoch reads each of its own ``per_epoch`` times."""
        counts = Counter({e.list_id: len(self.epochs) + 1 for e in self.held})
        counts.update(e.list_id for chosen in self.epochs for e in chosen for _ in range(per_epoch))
        return counts


def make_plan(examples: Sequence[Example], settings: Settings) -> Schedule:
    """Each epoch sees its own samples of the lists: sample numbers modulo the number of samples.

    Raises InputError if no query is left to train on, or if ``training.patience`` is set and no query is held out.
    """
    t = settings.training
    trained, held = split_queries(examples, t.heldout_share, t.seed)
    if not trained:
        raise UsageError("training.heldout_share leaves no query to train on")
    if t.patience is not None and not held:
        raise UsageError("training.patience needs held-out queries, but training.heldout_share leaves none")
    per_epoch = settings.lists.per_query_per_epoch
    samples = 1 + max(e.sample for e in trained)
    shown = [{(epoch * per_epoch + i) % samples for i in range(per_epoch)} for epoch in range(t.epochs)]
    epochs = tuple(tuple(e for e in trained if e.sample in some) for some in shown)
    batches = tuple(math.ceil(len(chosen) / t.batch_lists) for chosen in epochs)
    return Schedule(epochs, batches, tuple(e for e in held if e.sample < per_epoch))
