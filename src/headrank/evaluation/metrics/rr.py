"""Reciprocal rank: one over the rank of the first relevant document, 0 if it is beyond the cut-off."""

from __future__ import annotations

from headrank.evaluation.metric import JudgedList, Kind


def value(ranking: JudgedList) -> float:
    """``pytrec_eval`` has no cut-off for it."""
    reached = ranking.cutoff is None or ranking.trec * ranking.cutoff >= 1 - 1e-9
    return ranking.trec if reached else 0.0


def bounds(given: JudgedList) -> tuple[float, float]:
    """In random order, if none of the r relevant documents is before rank k, one is at k with probability
    r / (n - k + 1).
    """
    n, r = len(given.docids), given.found
    if not r:
        return 0.0, 0.0
    expected, none_yet = 0.0, 1.0
    for k in range(1, min(given.shown, n - r + 1) + 1):
        first = none_yet * r / (n - k + 1)
        expected += first / k
        none_yet -= first
    return expected, 1.0


METRIC = Kind("RR", cutoff="optional", measure="recip_rank", value=value, bounds=bounds)
