"""Judged: the share of the first K documents that has a judgement, of whatever grade."""

from __future__ import annotations

from headrank.evaluation.metric import JudgedList, Kind


def value(ranking: JudgedList) -> float:
    """For a list that is shorter than K, the share of all its documents."""
    return sum(docid in ranking.grades for docid in ranking.docids[: ranking.shown]) / ranking.shown


def bounds(given: JudgedList) -> tuple[float, float]:
    """In random order every rank is equally likely to hold a judged document."""
    judged = sum(docid in given.grades for docid in given.docids)
    return judged / len(given.docids), min(judged, given.shown) / given.shown


METRIC = Kind("judged", cutoff="required", graded=True, value=value, bounds=bounds)
