"""The data of a page: one query's passages in prompt order, their words, and the weights of these in each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrank.explain.columns import Column, columns_of
from headrank.explain.explanation import Explanation, Floats
from headrank.explain.words import Word, visible, words_of

# The largest number of a kind is stored as this whole number, and the others in proportion.
STEPS = 1_000_000
# Characters of what was cut off that are shown.
UNREAD = 1_500


@dataclass(frozen=True)
class State:
    """The model at one point, such as before training. name: of it, empty if there is only one.

    explanations: document id -> explanation. ranks: document id -> rank, from 1.
    """

    name: str
    explanations: Mapping[str, Explanation]
    ranks: Mapping[str, int]


@dataclass(frozen=True)
class Told:
    """What a page says above the passages. account: sentences about the numbers. notes: of what is not on the page."""

    query: str
    qid: str | None
    method: str
    model: str
    account: Sequence[str]
    notes: Sequence[str] = ()


def page_data(
    told: Told,
    states: Sequence[State],
    first_stage: Sequence[str],
    grades: Mapping[str, int] | None = None,
    highest: int = 0,
) -> dict[str, Any]:
    """Everything that a page shows, as plain data.

    states: one or two, of the same prompt and heads. first_stage: the document ids in first-stage order. grades: of the
    judged documents, at most ``highest``; None where the query is not judged.
    """
    first = states[0].explanations
    ordered = sorted(first, key=lambda docid: first[docid].position)
    heads = first[ordered[0]].heads
    columns = columns_of(heads)
    words = {docid: words_of(first[docid]) for docid in ordered}
    place = {docid: rank for rank, docid in enumerate(first_stage, 1)}
    kinds = ["weight", "attention", *(["null"] if first[ordered[0]].null is not None else [])]
    return {
        "query": visible(told.query),
        "qid": None if told.qid is None else visible(told.qid),
        "method": told.method,
        "model": visible(told.model),
        "account": list(told.account),
        "notes": list(told.notes),
        "logarithm": first[ordered[0]].logarithm,
        "columns": [{"name": c.name, "heads": len(c.heads)} for c in columns],
        "kinds": kinds,
        "highest": highest,
        "judged": grades is not None,
        "states": [_state(state, ordered, words, columns, kinds) for state in states],
        "passages": [
            {
                "id": visible(docid),
                "first": place[docid],
                "grade": None if grades is None else grades.get(docid),
                "words": [[word.before, word.text, word.part] for word in words[docid]],
                **_unread(first[docid].unread),
            }
            for docid in ordered
        ],
    }


def _unread(text: str) -> dict[str, Any]:
    return {"unread": visible(text[:UNREAD]), "more": max(len(text) - UNREAD, 0)}


def _state(
    state: State,
    ordered: Sequence[str],
    words: Mapping[str, Sequence[Word]],
    columns: Sequence[Column],
    kinds: Sequence[str],
) -> dict[str, Any]:
    found = [state.explanations[docid] for docid in ordered]
    by_kind = {
        kind: [
            by_word(_of_kind(one, kind), words[docid], columns)
            for docid, one in zip(ordered, found, strict=True)
        ]
        for kind in kinds
    }
    scales = {
        kind: max((float(np.abs(values).max(initial=0.0)) for values in tables), default=0.0) / STEPS or 1.0
        for kind, tables in by_kind.items()
    }
    on_passages = np.sum([one.attention.sum(axis=1) for one in found], axis=0)
    return {
        "name": state.name,
        "scales": scales,
        # The share of a head's attention that falls on passages; the rest is on other parts of the prompt.
        "reach": [float(on_passages[list(c.heads)].mean()) for c in columns],
        "passages": [
            {
                "rank": state.ranks[docid],
                "score": one.score,
                "values": _by_column(one.values[:, None], columns)[0].tolist(),
                "additions": _by_column(one.additions[:, None], columns)[0].tolist(),
                "rest": _by_column(one.rest[:, None], columns)[0].tolist(),
                "out": [n for n, w in enumerate(words[docid]) if one.left_out[:, w.first : w.last].any()],
                **{
                    kind: np.rint(by_kind[kind][i] / scales[kind]).astype(int).ravel().tolist()
                    for kind in kinds
                },
            }
            for i, (docid, one) in enumerate(zip(ordered, found, strict=True))
        ],
    }


def _of_kind(one: Explanation, kind: str) -> Floats:
    values = {"weight": one.weights, "attention": one.attention, "null": one.null}[kind]
    assert values is not None
    return values


def by_word(values: Floats, words: Sequence[Word], columns: Sequence[Column]) -> NDArray[np.float64]:
    """(heads, tokens) values to (words, columns): the sums over each word's tokens and each column's heads."""
    if not words:
        return np.zeros((0, len(columns)))
    summed = np.add.reduceat(values, [word.first for word in words], axis=1)
    return _by_column(summed, columns)


def _by_column(values: Floats, columns: Sequence[Column]) -> Floats:
    """(heads, n) to (n, columns)."""
    return np.stack([values[list(c.heads)].sum(axis=0) for c in columns], axis=1)
