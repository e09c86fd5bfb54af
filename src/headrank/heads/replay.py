"""HeadRank's ranking by any head set, from stored masses instead of a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.data.rankings import rank_documents, run_of
from headrank.engine.features import Features
from headrank.engine.identity import Identity
from headrank.engine.list_scores import add_heads
from headrank.errors import InputError
from headrank.heads.head_set import Head, HeadSet
from headrank.prompts.candidate_order import prompt_order
from headrank.settings import Settings

if TYPE_CHECKING:
    from headrank.data.trec import Run


@dataclass(frozen=True)
class StoredMasses:
    """One benchmark's masses on a frozen backbone, as ``rerank_frozen`` stores them, ready to be ranked again.

    queries: per query its id and, by prompt position, its documents, their first-stage ranks, and which are empty.
    shares: per query (heads, documents), list-normalised (R4). model: whose heads these are, where it is known.
    """

    queries: Sequence[tuple[str, list[str], list[int], list[bool]]]
    shares: Sequence[NDArray[np.float64]]
    n_layers: int
    n_heads: int
    logarithm: bool
    model: Identity | None = None

    @classmethod
    def of(cls, masses: Features, ranking: pd.DataFrame, settings: Settings) -> StoredMasses:
        """From stored masses and any ranking of the same pass, which gives each document's position."""
        queries, shares = [], []
        for qid, group in ranking.groupby("qid", sort=False):
            group = group.sort_values("position", kind="stable")
            docids = group["docid"].astype(str).tolist()
            first_stage = prompt_order(str(qid), len(docids), settings.candidates.order)
            queries.append((str(qid), docids, first_stage, group["empty"].astype(bool).tolist()))
            row = masses.rows([str(qid)])[0]
            shares.append(masses.shares(row, len(docids), settings.mass))
        logarithm = settings.loss.score == "mean-log"
        return cls(queries, shares, masses.n_layers, masses.n_heads, logarithm, masses.identity)

    def run(self, heads: Sequence[Head]) -> Run:
        """The run of HeadRank over these heads, untrained."""
        rows = [layer * self.n_heads + head for layer, head in heads]
        run = {}
        for (qid, docids, first_stage, empty), shares in zip(self.queries, self.shares, strict=True):
            scores = add_heads(shares[rows], self.logarithm)
            run[qid] = run_of(rank_documents(docids, scores.tolist(), first_stage, empty))
        return run


def random_heads(heads: HeadSet, draws: int, seed: int) -> list[tuple[Head, ...]]:
    """``draws`` sets of as many heads as ``heads`` has, from all of the model's: any selection has to beat these."""
    total = heads.n_layers * heads.n_heads
    if len(heads.heads) > total:
        raise InputError(f"head set of {heads.model}: more heads than the model has")
    rng = np.random.default_rng([seed, 30])
    drawn = (np.sort(rng.choice(total, len(heads.heads), replace=False)) for _ in range(draws))
    return [tuple(divmod(int(i), heads.n_heads) for i in places) for places in drawn]


def layer_heads(n_layers: int, n_heads: int) -> list[tuple[Head, ...]]:
    """All heads of each layer, layer by layer."""
    return [tuple((layer, head) for head in range(n_heads)) for layer in range(n_layers)]
