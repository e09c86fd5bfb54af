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
    waiting: dict[int, Groups] = {query: next(plan) for query, plan in enumerate(plans)}
    found: list[dict[int, Read]] = [{} for _ in candidates]
    counts = [0] * len(candidates)
    rankings: list[Ranking] = [[] for _ in candidates]
    while waiting:
        asked = [
            (query, group, _part(candidates[query], group, number if len(groups) > 1 else None))
            for query, groups in waiting.items()
            for number, group in enumerate(groups, start=1)
        ]
        ranked = _ranked(rank, asked)
        following: dict[int, Groups] = {}
        for query, groups in waiting.items():
            counts[query] += len(groups)
            answers = [ranked.pop(0) for _ in groups]
            found[query].update({read.place: read for answer in answers for read in answer})
            try:
                following[query] = plans[query].send([[r.place for r in answer] for answer in answers])
            except StopIteration as end:
                order = [found[query][place] for place in end.value]
                if counts[query] > 1:
                    order = [
                        r._replace(score=float(n))
                        for n, r in zip(range(len(order), 0, -1), order, strict=True)
                    ]
                rankings[query] = order
        waiting = following
    return rankings


def _part(candidates: Candidates, group: Sequence[int], number: int | None) -> Candidates:
    qid = candidates.qid if number is None else f"{candidates.qid}, group {number}"
    return replace(candidates, qid=qid, documents=tuple(candidates.documents[place] for place in group))


def _ranked(
    rank: Callable[[Sequence[Candidates]], pd.DataFrame],
    asked: Sequence[tuple[int, list[int], Candidates]],
) -> list[Ranking]:
    """The ranking of each group."""
    frame = rank([part for _, _, part in asked])
    by_query = {str(qid): rows for qid, rows in frame.groupby("qid", sort=False)}
    rankings = []
    for _, group, part in asked:
        rows = by_query[part.qid].sort_values("rank", kind="stable")
        places = {document.docid: place for document, place in zip(part.documents, group, strict=True)}
        chances = rows["probability"].tolist() if "probability" in rows else [None] * len(rows)
        scored = zip(rows["docid"], rows["score"].astype(float).tolist(), chances, strict=True)
        rankings.append([Read(places[docid], score, chance) for docid, score, chance in scored])
    return rankings
