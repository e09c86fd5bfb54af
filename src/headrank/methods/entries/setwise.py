"""Setwise reranking: which of a few passages is the most relevant (arXiv 2310.09497)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrank.generative.effort import one_short_answer, sifts
from headrank.methods.entry import ONE_PASS, Asked

if TYPE_CHECKING:
    from headrank.generative.task import Query, Task


def _setwise(query: Query) -> Task:
    from headrank.generative.setwise import setwise

    return setwise(query)


def _setwise_single(query: Query) -> Task:
    from headrank.generative.setwise import setwise_single

    return setwise_single(query)


PLACE = 20
METHODS = (
    Asked(
        name="setwise",
        title="Setwise, heapsort",
        about="heapsort over sets of 4 (2310.09497)",
        cost="about N/3 + 30 passes",
        ask=_setwise,
        effort=sifts,
        writes=True,
    ),
    Asked(
        name="setwise-single",
        title="Setwise, one window",
        about="label logits over all candidates",
        cost=ONE_PASS,
        ask=_setwise_single,
        effort=one_short_answer,
        writes=True,
    ),
)
