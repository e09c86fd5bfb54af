"""Several collections as one: what they may share, and what must not be mixed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from headrank.errors import InputError, UsageError

Value = TypeVar("Value")


def joined(parts: Iterable[Mapping[str, Value]], what: str) -> dict[str, Value]:
    """The mappings merged into one; what: a query or a document, for the message.

    Raises InputError if one id stands for two different things.
    """
    whole: dict[str, Value] = {}
    for part in parts:
        twice = [key for key in part if key in whole and whole[key] != part[key]]
        if twice:
            raise InputError(
                f"train_on: {what} {twice[0]} is in two collections and differs; train on one of them"
            )
        whole.update(part)
    return whole


def check_same_corpus(name: str, corpora: Sequence[object]) -> None:
    """Refuse to use an index for another collection than its own if the documents of the two differ.

    corpora: what identifies the documents of each, the collection's own first.
    """
    for other in corpora[1:]:
        if other != corpora[0]:
            raise UsageError(
                f"collections.{name}.corpus: its documents are {corpora[0]}, the other's are {other}"
            )
