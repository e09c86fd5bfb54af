"""RankGPT (arXiv 2304.09542) and FIRST (arXiv 2406.15657): the model orders a window of passages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headrank.generative.effort import one_answer, windowed
from headrank.methods.entry import Asked

if TYPE_CHECKING:
    from headrank.generative.task import Query, Task


def _rankgpt(query: Query, single: bool = False) -> Task:
    from headrank.generative.listwise import rankgpt

    return rankgpt(query, single)


def _first(query: Query) -> Task:
    from headrank.generative.listwise import first

    return first(query)


PLACE = 10
METHODS = (
    Asked(
        name="rankgpt",
        title="RankGPT",
        about="listwise, sliding window (2304.09542)",
        cost="a text per window of 20",
        ask=_rankgpt,
        effort=partial(windowed, writes=True),
        writes=True,
    ),
    Asked(
        name="rankgpt-single",
        title="RankGPT, one window",
        about="listwise, all candidates at once",
        cost="1 text",
        ask=partial(_rankgpt, single=True),
        effort=one_answer,
        writes=True,
    ),
    Asked(
        name="first",
        title="FIRST, untrained",
        about="first token's logits (2406.15657)",
        cost="1 pass per window of 20",
        ask=_first,
        effort=partial(windowed, writes=False),
    ),
)
