"""HeadRank's ranking by any head set, from stored masses instead of a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.engine.features import Features
from headrank.errors import InputError
from headrank.heads.head_set import Head, HeadSet
from headrank.settings import Settings

if TYPE_CHECKING:
    from headrank.data.trec import Run


@dataclass(frozen=True)
class Stored:
    """One benchmark's masses on a frozen backbone, as ``rerank_frozen`` leaves them, ready to be ranked again.

    queries: per query its id, documents by prompt position, which of them are empty, and the order that breaks ties.
    shares: per query (heads, documents), list-normalised (R4).
    """

    queries: Sequence[tuple[str, list[str], NDArray[np.bool_], NDArray[np.int64]]]
    shares: Sequence[NDArray[np.float64]]
    n_layers: int
    n_heads: int
    logarithm: bool

    @classmethod
    def of(cls, masses: Features, ranking: pd.DataFrame, settings: Settings) -> Stored:
        """From stored masses and any ranking of the same pass, which tells where each document stands."""
        queries, shares = [], []
        for qid, group in ranking.groupby("qid", sort=False):
            group = group.sort_values("position", kind="stable")
            count = len(group)
            # Prompt position stands in for first-stage rank as the tie rule, which it is in every unshuffled order.
            tie = np.arange(count) * (-1 if settings.candidates.order == "best-last" else 1)
            queries.append(
                (str(qid), group["docid"].astype(str).tolist(), group["empty"].to_numpy(bool), tie)
            )
            row = masses.rows([str(qid)])[0]
            shares.append(masses.shares(row, count, settings.mass))
        return cls(queries, shares, masses.n_layers, masses.n_heads, settings.loss.score == "mean-log")

    def run(self, heads: Sequence[Head]) -> Run:
        """The run of HeadRank over these heads, untrained."""
        rows = [layer * self.n_heads + head for layer, head in heads]
        run = {}
        for (qid, docids, empty, tie), shares in zip(self.queries, self.shares, strict=True):
            chosen = shares[rows]
            score = (np.log(chosen) if self.logarithm else chosen).sum(axis=0)
            order = np.lexsort((tie, -score, empty))
            # Documents without text come last whatever their score; a run's scores must not rise.
            lowest = score[~empty].min() if not empty.all() else 0.0
            run[qid] = [(docids[i], float(min(score[i], lowest) if empty[i] else score[i])) for i in order]
        return run


def random_heads(heads: HeadSet, draws: int, seed: int) -> list[tuple[Head, ...]]:
    """``draws`` sets of as many heads as ``heads`` has, from all of the model's: what any choice has to beat."""
    total = heads.n_layers * heads.n_heads
    if len(heads.heads) > total:
        raise InputError(f"head set of {heads.model}: more heads than the model has")
    rng = np.random.default_rng([seed, 30])
    drawn = (np.sort(rng.choice(total, len(heads.heads), replace=False)) for _ in range(draws))
    return [tuple(divmod(int(i), heads.n_heads) for i in places) for places in drawn]


def layer_heads(n_layers: int, n_heads: int) -> list[tuple[Head, ...]]:
    """All heads of each layer, layer by layer."""
    return [tuple((layer, head) for head in range(n_heads)) for layer in range(n_layers)]
