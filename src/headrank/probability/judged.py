"""Judged passages with their signals, read from a model; and lists in which nothing is relevant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd

from headrank.data.trec import Qrels
from headrank.errors import InputError
from headrank.probability.signals import read_lists
from headrank.rerankers.candidates import Candidates

if TYPE_CHECKING:
    from headrank.methods.ready import Ready

Unjudged = Literal["leave-out", "irrelevant"]


def read_signals(ready: Ready, candidates: Sequence[Candidates]) -> pd.DataFrame:
    """``headrank.probability.signals.SIGNALS`` of every candidate, and its ``rank`` by the method."""
    ranking, signals = read_lists(ready, candidates)
    return signals.merge(ranking[["qid", "docid", "rank"]], on=["qid", "docid"], validate="one_to_one")


def with_judgements(
    signals: pd.DataFrame, qrels: Qrels, level: int = 1, unjudged: Unjudged = "leave-out"
) -> pd.DataFrame:
    """The signals with ``judged`` and ``relevant``, whether a passage's grade is at least ``level``.

    unjudged: whether passages without a judgement are left out (not ``judged``), or count as irrelevant as they do in
    evaluation. Raises InputError if nothing is judged.
    """
    pairs = zip(signals["qid"], signals["docid"], strict=True)
    grades = [qrels[qid].get(docid) if qid in qrels else None for qid, docid in pairs]
    judged = [
        grade is not None or (unjudged == "irrelevant" and qid in qrels)
        for grade, qid in zip(grades, signals["qid"], strict=True)
    ]
    if not any(judged):
        raise InputError("probability: the judgements name none of the candidates")
    relevant = [grade is not None and grade >= level for grade in grades]
    return signals.assign(judged=judged, relevant=relevant)


def strangers(candidates: Sequence[Candidates], qrels: Qrels) -> list[Candidates]:
    """Each query with the candidates of another one, half-way through the list of queries: nothing there is relevant.

    Passages that were judged relevant to the query (any grade above 0) are left out, whoever's candidates they are.
    """
    half = len(candidates) // 2
    found = []
    for place, c in enumerate(candidates):
        other = candidates[(place + half) % len(candidates)]
        documents = tuple(d for d in other.documents if qrels.get(c.qid, {}).get(d.docid, 0) <= 0)
        found.append(Candidates(c.qid, c.query, documents))
    return found
