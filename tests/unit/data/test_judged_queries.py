"""Which queries of a collection count."""

from __future__ import annotations

import pytest

from headrank.data.judged_queries import judged_only
from headrank.errors import InputError

QUERIES = {"b": "two", "a": "one", "c": "three"}
QRELS = {"a": {"d": 0}, "b": {"d": 1}, "elsewhere": {"d": 2}}


def test_judged_queries_stay_in_their_order() -> None:
    queries, qrels = judged_only("mine", QUERIES, QRELS, 2)
    assert list(queries.items()) == [("b", "two"), ("a", "one")]
    assert list(qrels.items()) == [("b", {"d": 1}), ("a", {"d": 0})]


def test_another_number_than_expected_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"collections\.mine\.judged: 3 judged queries are expected, 2 are there"
    ):
        judged_only("mine", QUERIES, QRELS, 3)


def test_queries_and_judgements_of_two_collections_are_refused() -> None:
    with pytest.raises(InputError, match="collection mine: no query has judgements"):
        judged_only("mine", QUERIES, {"elsewhere": {"d": 2}})


@pytest.mark.parametrize("text", ["", "  ", "\u200b\n"])
def test_a_judged_query_without_text_is_named_and_others_do_not_matter(text: str) -> None:
    with pytest.raises(InputError, match="collection mine: query 'a' has no text"):
        judged_only("mine", QUERIES | {"a": text}, QRELS)
    assert list(judged_only("mine", QUERIES | {"c": text}, QRELS)[0]) == ["b", "a"]
