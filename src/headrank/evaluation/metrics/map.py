"""Average precision: the mean precision at the ranks of the query's relevant documents, 0 for those not in the list."""

from __future__ import annotations

from headrank.evaluation.metric import JudgedList, Kind


def bounds(given: JudgedList) -> tuple[float, float]:
    """At random rank k is relevant with probability r/n, and then k - 1 others of r - 1 among n - 1 lie before it."""
    n, r = len(given.docids), given.found
    if not r:
        return 0.0, 0.0
    before = (r - 1) / (n - 1) if n > 1 else 0.0
    expected = sum((1 + (k - 1) * before) / k for k in range(1, n + 1)) * r / n
    return expected / given.relevant, r / given.relevant


METRIC = Kind("MAP", measure="map", bounds=bounds)
