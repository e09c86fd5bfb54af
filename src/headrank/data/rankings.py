"""From document scores to a ranking: the order of the documents, and what breaks ties.

Scores are compared in float32, as trec_eval compares them, so that a ranking in memory has the order that evaluation of
its run finds. Positions and ranks count from 0 here and in every table of rankings; the rank column of a run file,
which counts from 1, is written by ``headrank.data.trec``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pandas as pd

    from headrank.data.trec import Run

# One row per candidate. position: in the prompt; score: raw; empty: the passage has no text; tokens: in all prompts
# read for the query; rows: how many of these tokens have their attention read.
COLUMNS = ["qid", "docid", "position", "score", "rank", "empty", "tokens", "rows"]
Ranked = tuple[str, int, float, int, bool]
"""docid, position, score, rank, empty."""


def best_first(scores: ArrayLike, ties: ArrayLike | None = None, last: ArrayLike | None = None) -> list[int]:
    """Indices of the scores, (documents,), highest first.

    Equal scores are ordered by ``ties``, the lowest first, by default as they are given; those that are true in
    ``last`` come after all others.
    """
    with np.errstate(over="ignore"):
        falling = -np.asarray(scores, dtype=np.float64).astype(np.float32)
    second = np.arange(len(falling)) if ties is None else np.asarray(ties)
    behind = np.zeros(len(falling), dtype=bool) if last is None else np.asarray(last)
    return [int(i) for i in np.lexsort((second, falling, behind))]


def rank_documents(
    docids: Sequence[str],
    scores: Sequence[float],
    first_stage: Sequence[int] | None = None,
    empty: Sequence[bool] | None = None,
) -> list[Ranked]:
    """One query's ranking, best first; all arguments by prompt position.

    Ties are broken by ``first_stage``, the ranks of the first stage, or by position if it is not given; ``empty``
    documents come last.
    """
    behind = [False] * len(docids) if empty is None else empty
    order = best_first(scores, first_stage, behind)
    return [(docids[p], p, float(scores[p]), rank, behind[p]) for rank, p in enumerate(order)]


def run_of(ranked: Iterable[Ranked]) -> list[tuple[str, float]]:
    """A ranking's documents as a run: scores never rise, although empty documents come last whatever their scores."""
    return falling_run((docid, score) for docid, _, score, *_ in ranked)


def as_run(frame: pd.DataFrame) -> Run:
    """Rankings, a frame of ``COLUMNS``, as a run, best first."""
    ordered = frame.sort_values(["rank"], kind="stable")
    return {
        str(qid): falling_run(zip(group["docid"], group["score"].astype(float), strict=True))
        for qid, group in ordered.groupby("qid", sort=False)
    }


def with_rest(ranked: Run, candidates: Run) -> Run:
    """Rankings with the candidates that were not ranked behind those that were, in their order, by the lowest score.

    Without them, recall beyond the depth of reranking would fall below the first stage's.
    """
    return {
        qid: [*scored, *_behind(scored, candidates.get(qid, []))] if scored else scored
        for qid, scored in ranked.items()
    }


def tied(frame: pd.DataFrame) -> list[str]:
    """The queries, of a frame of ``COLUMNS``, of whose passages with text no two have different scores.

    Queries with fewer than two such passages are not among them.
    """
    scored = frame[~frame["empty"].astype(bool)].groupby("qid", sort=False)["score"]
    # In float32, in which scores are compared.
    alike = scored.agg(lambda scores: len(scores) > 1 and len({np.float32(score) for score in scores}) == 1)
    return [str(qid) for qid, same in alike.items() if same]


def _behind(
    scored: Sequence[tuple[str, float]], candidates: Sequence[tuple[str, float]]
) -> list[tuple[str, float]]:
    known = {docid for docid, _ in scored}
    return [(docid, scored[-1][1]) for docid, _ in candidates if docid not in known]


def falling_run(scored: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Documents with scores that never rise, each at most the one before it."""
    lowest = float("inf")
    run = []
    for docid, score in scored:
        # NaN is kept, so that a check of the run finds it.
        lowest = lowest if score >= lowest else score
        run.append((docid, lowest))
    return run
