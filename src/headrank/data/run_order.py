"""The order of a run's documents: by score, by rank, and whether the two agree.

Evaluation goes by the score and ignores the rank, so a run whose scores are no scores (all zero, or distances) would be
read in an order that nobody meant.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Literal

import numpy as np

from headrank.data.rankings import best_first
from headrank.errors import InputError

logger = logging.getLogger(__name__)
OrderBy = Literal["score", "rank"]
Ranking = list[tuple[str, float]]
"""(docid, score), best first."""


@dataclass(frozen=True)
class Agreement:
    """pairs: of documents that the ranks order; confirmed: those of them whose scores fall in that order."""

    pairs: int
    confirmed: int

    @property
    def denied(self) -> bool:
        """Whether less than half is confirmed; equal scores confirm nothing."""
        return 2 * self.confirmed < self.pairs


def by_score(scores: Mapping[str, float]) -> Ranking:
    """Order one query's documents as trec_eval does: float32 score, then document id, both descending."""
    falling_ids = sorted(scores.items(), key=lambda item: item[0], reverse=True)
    return [falling_ids[i] for i in best_first([score for _, score in falling_ids])]


def by_rank(ranks: Mapping[str, int], where: str) -> Ranking:
    """Order one query's documents by rank, lowest first; their scores count down to 1.

    Raises InputError, whose message begins with ``where``, if two documents have one rank.
    """
    order = sorted(ranks, key=ranks.__getitem__)
    for one, other in pairwise(order):
        if ranks[one] == ranks[other]:
            raise InputError(
                f"{where}: documents {one} and {other} both have rank {ranks[one]}; order the run by score"
            )
    return [(docid, float(len(order) - place)) for place, docid in enumerate(order)]


def ordered(
    path: str | os.PathLike[str],
    scores: Mapping[str, Mapping[str, float]],
    ranks: Mapping[str, Sequence[int]],
    order_by: OrderBy | None,
) -> dict[str, Ranking]:
    """Every query's documents, best first.

    scores: qid -> docid -> score. ranks: qid -> ranks in the same order. order_by: what counts; None takes the scores,
    raises InputError if they deny the ranks of the run as a whole, and logs how many queries they deny otherwise.
    """
    if order_by == "rank":
        return {
            qid: by_rank(dict(zip(documents, ranks[qid], strict=True)), f"{path}: query {qid}")
            for qid, documents in scores.items()
        }
    run = {qid: by_score(documents) for qid, documents in scores.items()}
    if order_by is None:
        found = {
            qid: agreement(dict(zip(scores[qid], ranks[qid], strict=True)), ranking)
            for qid, ranking in run.items()
        }
        _judge(path, found, run)
    return run


def agreement(ranks: Mapping[str, int], ranking: Ranking) -> Agreement:
    """How far one query's ranks agree with its ranking by score."""
    count = len(ranking)
    alike = sum(n * (n - 1) // 2 for n in Counter(ranks.values()).values())
    pairs = count * (count - 1) // 2 - alike
    along = [ranks[docid] for docid, _ in ranking]
    if all(one <= other for one, other in pairwise(along)):
        return Agreement(pairs, pairs)
    single = _in_float32(ranking)
    confirmed = 0
    better: list[float] = []  # the scores of documents with lower ranks, rising
    for _, equals in groupby(sorted(zip(along, single, strict=True)), key=itemgetter(0)):
        group = [score for _, score in equals]
        confirmed += sum(len(better) - bisect_right(better, score) for score in group)
        for score in group:
            insort(better, score)
    return Agreement(pairs, confirmed)


def _judge(path: str | os.PathLike[str], found: Mapping[str, Agreement], run: Mapping[str, Ranking]) -> None:
    whole = Agreement(sum(a.pairs for a in found.values()), sum(a.confirmed for a in found.values()))
    denied = [qid for qid, one in found.items() if one.denied]
    if whole.denied:
        raise InputError(
            f"{path}: ranks and scores disagree: the scores fall for {whole.confirmed} of the {whole.pairs} pairs of "
            f"documents that the ranks order (query {denied[0]}: {_what(run[denied[0]], found[denied[0]])}); say which "
            "of them counts: order by rank or by score (--order-by, or a collection's order_by)"
        )
    if denied:
        logger.warning(
            "%s: ranks and scores disagree for %d of %d queries, such as %s (%s); their order is that of the scores",
            *(path, len(denied), len(found), denied[0], _what(run[denied[0]], found[denied[0]])),
        )


def _what(ranking: Ranking, found: Agreement) -> str:
    if len(set(_in_float32(ranking))) == 1:
        return f"all {len(ranking)} scores are equal"
    if not found.confirmed:
        return "scores rise with the rank, as distances do"
    return f"{found.confirmed} of {found.pairs} pairs"


def _in_float32(ranking: Ranking) -> list[float]:
    """The scores as trec_eval compares them."""
    with np.errstate(over="ignore"):
        single: list[float] = np.array([score for _, score in ranking]).astype(np.float32).tolist()
    return single
