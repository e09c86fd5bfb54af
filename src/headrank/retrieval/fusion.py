"""Reciprocal-rank fusion: one ranking from several, by ranks alone (Cormack, Clarke and Büttcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Sequence

from headrank.data.rankings import best_first
from headrank.data.trec import Run
from headrank.errors import UsageError

K = 60
"""The constant of the original, at which it is nearly always used."""


def reciprocal_rank_fusion(runs: Sequence[Run], k: int = K) -> Run:
    """The documents of all runs, each query's ordered by the sum of 1 / (k + rank) over the runs that list it.

    Ranks count from 1. Documents with equal sums keep the order in which the runs, first to last, list them, so that
    the first run breaks ties. Queries of any run take part, in the order of their first appearance. Raises InputError
    for a negative k.
    """
    if k < 0:
        raise UsageError(f"k: {k} is negative")
    fused: Run = {}
    for qid in dict.fromkeys(qid for run in runs for qid in run):
        sums: dict[str, float] = {}
        for run in runs:
            for rank, (docid, _) in enumerate(run.get(qid, []), start=1):
                sums[docid] = sums.get(docid, 0.0) + 1 / (k + rank)
        listed = list(sums.items())
        fused[qid] = [listed[place] for place in best_first(list(sums.values()))]
    return fused
