"""Pointwise references: each passage is judged on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrank.generative.effort import each_passage
from headrank.methods.entry import EACH_PASSAGE, Asked

if TYPE_CHECKING:
    from headrank.generative.task import Query, Task


def _yes_no(query: Query) -> Task:
    from headrank.generative.pointwise import yes_no

    return yes_no(query)


def _query_likelihood(query: Query) -> Task:
    from headrank.generative.pointwise import query_likelihood

    return query_likelihood(query)


def _qwen3_reranker(query: Query) -> Task:
    from headrank.generative.pointwise import qwen3_reranker

    return qwen3_reranker(query)


PLACE = 30
# It has weights of its own, one set for each size of backbone.
JUDGE = "qwen3-reranker"
METHODS = (
    Asked(
        name="yes-no",
        title="Pointwise yes/no",
        about="pointwise yes or no",
        cost=EACH_PASSAGE,
        ask=_yes_no,
        effort=each_passage,
    ),
    Asked(
        name="query-likelihood",
        title="Query likelihood",
        about="pointwise likelihood of the query",
        cost=EACH_PASSAGE,
        ask=_query_likelihood,
        effort=each_passage,
    ),
    Asked(
        name=JUDGE,
        title="Qwen3-Reranker",
        kind="supervised",
        about="pointwise, fine-tuned",
        cost=EACH_PASSAGE,
        weights="Qwen3-Reranker weights",
        ask=_qwen3_reranker,
        effort=each_passage,
    ),
)
