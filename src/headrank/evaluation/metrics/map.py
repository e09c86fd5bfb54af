"""Average precision: the mean precision at the ranks of the query's relevant documents, 0 for those not in the list."""

from __future__ import annotations

from headrank.evaluation.metric import JudgedList, Kind


def bounds(given: JudgedList) -> tuple[float, float]:
    """In random order rank k is relevant with probability r/n.

    Then each of the k - 1 documents before it is relevant with probability (r - 1)/(n - 1).
    """
    n, r = len(given.docids), given.found
    if not r:
        return 0.0, 0.0
    before = (r - 1) / (n - 1) if n > 1 else 0.0
    expected = sum((1 + (k - 1) * before) / k for k in range(1, n + 1)) * r / n
    return expected / given.relevant, r / given.relevant


METRIC = Kind("MAP", measure="map", bounds=bounds)
