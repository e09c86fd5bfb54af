"""Several collections as one."""

from __future__ import annotations

import pytest

from headrank.data.several import check_same_corpus, joined
from headrank.errors import InputError


def test_what_is_equal_may_stand_in_two_collections() -> None:
    assert joined([{"a": "one", "b": "two"}, {"b": "two", "c": "three"}], "query") == {
        **{"a": "one", "b": "two", "c": "three"}
    }


def test_one_id_for_two_things_is_refused() -> None:
    with pytest.raises(InputError, match="train_on: query b is in two collections and differs"):
        joined([{"a": "one", "b": "two"}, {"b": "another"}], "query")


def test_an_index_serves_two_collections_of_the_same_documents_alone() -> None:
    check_same_corpus("mine", [])
    check_same_corpus("mine", [{"sha256": "1"}, {"sha256": "1"}])
    with pytest.raises(
        InputError, match=r"collections\.mine\.corpus: its documents are .*1.*, the other's are .*2"
    ):
        check_same_corpus("mine", [{"sha256": "1"}, {"sha256": "2"}])
