"""Which number a response gives as a document's relevance_score."""

from __future__ import annotations

from headrank.api.ranked import RankedDocument
from headrank.serve.answers import relevances


def ranked(*chances: float | None) -> list[RankedDocument]:
    return [
        RankedDocument(i, i, i + 1, -float(i), "text", relevance_score=chance)
        for i, chance in enumerate(chances)
    ]


def test_without_a_fitted_probability_it_is_the_method_s_score() -> None:
    assert relevances(ranked(None, None)) == [0.0, -1.0]


def test_with_one_it_is_the_probability_and_0_where_nothing_was_read() -> None:
    assert relevances(ranked(0.7, 0.2, None)) == [0.7, 0.2, 0.0]
