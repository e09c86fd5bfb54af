"""Lists that are too long for one pass: which passes rank them, and how their rankings become one.

A plan yields rounds. A round is a list of groups of documents, each of which one pass ranks; the plan gets them back
best first, and returns the whole order at its end. The groups of a round do not depend on one another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from headrank.generative.windows import windows
from headrank.rerankers.candidates import Candidates

if TYPE_CHECKING:
    import pandas as pd

Groups = list[list[int]]
"""Places in the caller's list, group by group."""
Plan = Generator[Groups, Groups, list[int]]


class Read(NamedTuple):
    """A document of a ranking: its place in the caller's list, its score, and its probability if there is one."""

    place: int
    score: float
    probability: float | None = None


Ranking = list[Read]
"""Best first."""


def sliding(count: int, size: int) -> Plan:
    """Overlapping windows from the back of the list to its front, as in RankGPT (arXiv 2304.09542).

    The better half of a window is carried into the next one, so that a document from the end of the list can reach its
    top. Takes about 2 count / size passes, one after the other.
    """
    order = list(range(count))
    for start, stop in windows(count, size, max(1, size // 2)):
        [order[start:stop]] = yield [order[start:stop]]
    return order


def tournament(count: int, size: int, top: int | None = None) -> Plan:
    """Rounds of groups; the best of each group go on, until one pass holds all that are left.

    Groups are dealt in turn, so that each has its share of the first stage's best, and keep the first stage's order
    within. The better half of a pass goes on, or only the best ``top`` if fewer are asked for: no document of a group
    that is among the best ``top`` of the list can then be behind so many of its group, if passes agree with each other.
    Documents that were left behind follow, those of later rounds first, then by their place in their group, then in
    first-stage order: scores of different groups cannot be compared.

    Takes about 2 count / size passes, or little more than count / size for a small ``top``, in about
    log2(count / size) + 1 rounds.
    """
    going_on = max(1, min(size // 2, count if top is None else top))
    field, behind = list(range(count)), list[int]()
    while len(field) > size:
        number = -(-len(field) // size)
        ranked = yield [field[first::number] for first in range(number)]
        field = sorted(place for group in ranked for place in group[:going_on])
        left = [group[going_on:] for group in ranked]
        longest = max(map(len, left))
        behind = [
            place for i in range(longest) for place in sorted(g[i] for g in left if i < len(g))
        ] + behind
    [field] = yield [field]
    return field + behind


def passes(plan: Plan) -> int:
    """How many passes a plan takes, whatever they find; the plan is used up."""
    count, groups = 0, next(plan)
    while True:
        count += len(groups)
        try:
            groups = plan.send(groups)
        except StopIteration:
            return count


def rank_by_plans(
    rank: Callable[[Sequence[Candidates]], pd.DataFrame],
    candidates: Sequence[Candidates],
    plans: Sequence[Plan],
) -> list[Ranking]:
    """Rank every query's documents by its plan. The n-th rounds of all queries are ranked together.

    rank: gives a frame of ``headrank.data.rankings.COLUMNS``, perhaps with a column ``probability``. A query that takes
    one pass has the scores that it gives. Scores of different passes cannot be compared, so that a query that takes
    several has numbers that fall with the rank. Its probabilities are those of each document's last pass.
    """
    found: list[Ranking] = [[] for _ in candidates]
    going = [_rounds(c, plan) for c, plan in zip(candidates, plans, strict=True)]
    asked = {query: next(rounds) for query, rounds in enumerate(going)}
    while asked:
        frame = rank([part for parts in asked.values() for part in parts])
        rows = {str(qid): own for qid, own in frame.groupby("qid", sort=False)}
        following: dict[int, list[Candidates]] = {}
        for query, parts in asked.items():
            try:
                following[query] = going[query].send([rows[part.qid] for part in parts])
            except StopIteration as end:
                found[query] = end.value
        asked = following
    return found


def pass_by_pass(candidates: Candidates, plan: Plan) -> Generator[Candidates, pd.DataFrame, Ranking]:
    """One query's documents by its plan: yields what a pass has to rank, is sent its rows, returns the ranking.

    Rows are those of ``rank_by_plans``' frame for this pass alone.
    """
    rounds = _rounds(candidates, plan)
    parts = next(rounds)
    while True:
        frames = []
        for part in parts:
            frames.append((yield part))
        try:
            parts = rounds.send(frames)
        except StopIteration as end:
            ranking: Ranking = end.value
            return ranking


def _rounds(
    candidates: Candidates, plan: Plan
) -> Generator[list[Candidates], Sequence[pd.DataFrame], Ranking]:
    """Yields what the passes of a round have to rank, is sent the rows of each, and returns the ranking."""
    count, last = 0, dict[int, Read]()
    groups = next(plan)
    while True:
        count += len(groups)
        numbers = range(1, len(groups) + 1) if len(groups) > 1 else [None]
        parts = [_part(candidates, group, number) for group, number in zip(groups, numbers, strict=True)]
        frames = yield parts
        answers = [_ranking(*answer) for answer in zip(frames, groups, parts, strict=True)]
        last.update({read.place: read for answer in answers for read in answer})
        try:
            groups = plan.send([[read.place for read in answer] for answer in answers])
        except StopIteration as end:
            order = [last[place] for place in end.value]
            break
    if count == 1:
        return order
    falling = range(len(order), 0, -1)
    return [read._replace(score=float(n)) for n, read in zip(falling, order, strict=True)]


def _part(candidates: Candidates, group: Sequence[int], number: int | None) -> Candidates:
    qid = candidates.qid if number is None else f"{candidates.qid}, group {number}"
    return replace(candidates, qid=qid, documents=tuple(candidates.documents[place] for place in group))


def _ranking(frame: pd.DataFrame, group: Sequence[int], part: Candidates) -> Ranking:
    """What a pass gave for a group."""
    rows = frame.sort_values("rank", kind="stable")
    places = {document.docid: place for document, place in zip(part.documents, group, strict=True)}
    chances = rows["probability"].tolist() if "probability" in rows else [None] * len(rows)
    scored = zip(rows["docid"], rows["score"].astype(float).tolist(), chances, strict=True)
    return [Read(places[docid], score, chance) for docid, score, chance in scored]
