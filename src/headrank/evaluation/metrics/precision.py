"""Precision: the share of the first K ranks that holds relevant documents; a shorter list has empty ranks."""

from __future__ import annotations

from headrank.evaluation.metric import JudgedList, Kind


def bounds(given: JudgedList) -> tuple[float, float]:
    """In random order every rank is equally likely to hold a relevant document."""
    assert given.cutoff is not None
    expected = given.found * given.shown / len(given.docids)
    return expected / given.cutoff, min(given.found, given.shown) / given.cutoff


METRIC = Kind("precision", cutoff="required", measure="P_{cutoff}", bounds=bounds)
