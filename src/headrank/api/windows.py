"""Lists that are too long for one pass: ranked in windows that overlap, from the back to the front.

As in RankGPT (arXiv 2304.09542), the better half of a window is carried into the next one, so that a document from the
end of the list can reach its top.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
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
    found: list[Ranking] = [[] for _ in candidates]
    passes = [passes_of(c, windows) for c, windows in zip(candidates, spans, strict=True)]
    going = dict(enumerate(passes))
    asked = {q: next(each) for q, each in going.items()}
    while asked:
        frame = rank([*asked.values()])
        following: dict[int, Candidates] = {}
        for q, c in asked.items():
            try:
                following[q] = going[q].send(frame[frame["qid"] == c.qid])
            except StopIteration as end:
                found[q] = end.value
        asked = following
    return found


def passes_of(candidates: Candidates, spans: Windows) -> Generator[Candidates, pd.DataFrame, Ranking]:
    """One query's documents in its windows: yields what a pass has to rank, is sent its ranking, returns the whole.

    What is sent is a frame of ``headrank.data.rankings.COLUMNS`` of this query alone.
    """
    order = list(range(len(candidates.documents)))
    scores = [float(n) for n in range(len(order), 0, -1)]
    for start, stop in spans:
        window = replace(candidates, documents=tuple(candidates.documents[i] for i in order[start:stop]))
        frame = yield window
        found = frame.sort_values("rank", kind="stable")
        places = {d.docid: i for d, i in zip(window.documents, order[start:stop], strict=True)}
        order[start:stop] = [places[docid] for docid in found["docid"]]
        if len(spans) == 1:
            scores = found["score"].astype(float).tolist()
    return list(zip(order, scores, strict=True))
