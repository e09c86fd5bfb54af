"""What a user has to know of a reranking, each in one line on standard error: what was left out, what says nothing."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from headrank.data.trec import Run

_EXAMPLES = 5


def note_queries(run: Run, queries: Collection[str]) -> None:
    """How many queries have no candidates, and so no ranking."""
    without = [qid for qid in queries if qid not in run]
    if without:
        _say(
            f"{len(without)} of {len(queries)} queries have no candidates and are left out: {_some(without)}"
        )


def note_depth(run: Run, depth: int, left_out: bool) -> None:
    """How many candidates lie beyond the depth, and what becomes of them."""
    beyond = sum(max(len(ranked) - depth, 0) for ranked in run.values())
    if beyond:
        fate = "left out" if left_out else "not reranked and follow behind, in their order"
        _say(f"{beyond} candidates beyond the first {depth} of their query are {fate}")


def note_read(read: int, of: int) -> None:
    """How many of a query's candidates are on its page, if not all are."""
    if of > read:
        _say(f"the first {read} of {of} candidates are read; --depth says how many")


def note_unread(unread: int, of: int) -> None:
    """How many of a query's passages the model did not read."""
    if unread:
        _say(
            f"{unread} of {of} passages are not read and follow behind, in their order; --beyond windows reads all"
        )


def note_tied_list(scores: Sequence[float]) -> None:
    """That a query's passages have a ranking that says nothing, because all scores are equal."""
    if len(scores) > 1 and len(set(scores)) == 1:
        _say(f"the scores of all {len(scores)} passages are equal; they stay as given")


def note_tied_passes(tied: int, of: int) -> None:
    """How many passes of long lists say nothing, because all their scores are equal."""
    if tied:
        _say(f"all scores are equal in {tied} of {of} passes, whose passages stay as given")


def note_missing(names: Sequence[str], runs: Sequence[Run]) -> None:
    """Which runs lack queries that other runs have."""
    every = dict.fromkeys(qid for run in runs for qid in run)
    for name, run in zip(names, runs, strict=True):
        if absent := [qid for qid in every if qid not in run]:
            _say(f"{name} lacks {len(absent)} of the {len(every)} queries of all runs: {_some(absent)}")


def note_ties(ranking: pd.DataFrame) -> None:
    """How many queries have a ranking that says nothing, because all scores are equal."""
    from headrank.data.rankings import tied

    alike, count = tied(ranking), ranking["qid"].nunique()
    if alike:
        _say(f"all scores are equal for {len(alike)} of {count} queries, which stay as given: {_some(alike)}")


def _some(qids: list[str]) -> str:
    more = f" and {len(qids) - _EXAMPLES} more" if len(qids) > _EXAMPLES else ""
    return f"{', '.join(qids[:_EXAMPLES])}{more}"


def _say(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)
