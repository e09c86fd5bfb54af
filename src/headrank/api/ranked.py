"""One document of a ranking, as a caller gets it back."""

from __future__ import annotations

from dataclasses import dataclass, field

from headrank.explain.explanation import Explanation


@dataclass(frozen=True)
class RankedDocument:
    """A document with its place in a ranking.

    index: its place in the caller's list, from 0. id: the caller's id of it; its index where there is none. rank: from
    1, the best. score: never rises with the rank. Its scale is the method's own, and it can be compared within one
    ranking only; in lists that were ranked in windows it falls by 1 from rank to rank. reranked: whether the model read
    the document; those that it did not read follow in the caller's order, with the lowest score. explanation: of a
    document that was read, where ``explain=True`` asked for it.
    """

    index: int
    id: str | int
    rank: int
    score: float
    text: str
    title: str = ""
    reranked: bool = True
    explanation: Explanation | None = field(default=None, compare=False, repr=False)
