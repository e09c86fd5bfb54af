"""Recall: the share of the query's relevant documents that is among the first K."""

from __future__ import annotations

from headrank.evaluation.metric import JudgedList, Kind


def bounds(given: JudgedList) -> tuple[float, float]:
    """In random order every rank is equally likely to hold a relevant document."""
    if not given.relevant:
        return 0.0, 0.0
    expected = given.found * given.shown / len(given.docids)
    return expected / given.relevant, min(given.found, given.shown) / given.relevant


METRIC = Kind("recall", cutoff="required", measure="recall_{cutoff}", bounds=bounds)
