"""Lists that are too long for one pass: ranked in windows that overlap, from the back to the front.

As in RankGPT (arXiv 2304.09542), the better half of a window is carried into the next one, so that a document from the
end of the list can reach its top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headrank.generative.windows import windows
from headrank.rerankers.candidates import Candidates

if TYPE_CHECKING:
    import pandas as pd

Ranking = list[tuple[int, float]]
"""(place in the caller's list, score) of each document, best first."""


Windows = list[tuple[int, int]]
"""(start, stop) of each window over a query's ranking so far, from the back to the front."""


def windows_of(count: int, size: int) -> Windows:
    """The windows over ``count`` documents, at most ``size`` in each; half a window is carried into the next."""
    return windows(count, size, max(1, size // 2))


def rank_in_windows(
    rank: Callable[[Sequence[Candidates]], pd.DataFrame],
    candidates: Sequence[Candidates],
    spans: Sequence[Windows],
) -> list[Ranking]:
    """Rank every query's documents in its windows. The n-th windows of all queries are ranked together.

    rank: gives a frame of ``headrank.data.rankings.COLUMNS``. A query with one window has the scores that it gives.
    Scores of different windows cannot be compared, so that a query with several has numbers that fall with the rank.
    """
    orders = [list(range(len(c.documents))) for c in candidates]
    scores: list[list[float]] = [[float(n) for n in range(len(order), 0, -1)] for order in orders]
    for number in range(max(map(len, spans), default=0)):
        parts = [(q, *spans[q][number]) for q in range(len(candidates)) if number < len(spans[q])]
        asked = [
            replace(candidates[q], documents=tuple(candidates[q].documents[i] for i in orders[q][start:stop]))
            for q, start, stop in parts
        ]
        frame = rank(asked)
        for (q, start, stop), c in zip(parts, asked, strict=True):
            found = frame[frame["qid"] == c.qid].sort_values("rank", kind="stable")
            places = {d.docid: i for d, i in zip(c.documents, orders[q][start:stop], strict=True)}
            orders[q][start:stop] = [places[docid] for docid in found["docid"]]
            if len(spans[q]) == 1:
                scores[q] = found["score"].astype(float).tolist()
    return [list(zip(order, given, strict=True)) for order, given in zip(orders, scores, strict=True)]
