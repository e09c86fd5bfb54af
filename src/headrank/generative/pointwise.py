"""Pointwise: every passage on its own, by the probability of "yes" or of the query.

``yes_no`` and ``query_likelihood`` are the zero-shot forms of llm-rankers (arXiv 2310.09497's comparison);
``qwen3_reranker`` is the prompt that Qwen3-Reranker was fine-tuned on, and means little on other weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrank.generative.chat import Turn, mark
from headrank.generative.generate import Ask
from headrank.generative.task import Called, Query, Task

# Text 0 is the query, text 1 the passage, text 2 the instruction.
YES_NO: list[Turn] = [
    ("user", f"Passage:{mark(1)}\nQuery:{mark(0)}\nDoes the passage answer the query? Answer 'Yes' or 'No'")
]
LIKELIHOOD: list[Turn] = [("user", f"Passage:{mark(1)}\nPlease write a question based on this passage.")]
QWEN3_RERANKER: list[Turn] = [
    (
        "system",
        "Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the"
        ' answer can only be "yes" or "no".',
    ),
    ("user", f"<Instruct>:{mark(2)}\n<Query>:{mark(0)}\n<Document>:{mark(1)}"),
]
NO_THOUGHT = "<think>\n\n</think>\n\n"


def yes_no(query: Query) -> Task:
    """P(Yes) / (P(Yes) + P(No)) after the zero-shot question."""
    return (yield from _judge(query, YES_NO, ("Yes", "No"), ""))


def qwen3_reranker(query: Query) -> Task:
    """P(yes) / (P(yes) + P(no)) in Qwen3-Reranker's own prompt; passages are cut before they go into it."""
    return (yield from _judge(query, QWEN3_RERANKER, ("yes", "no"), NO_THOUGHT))


def _judge(query: Query, turns: Sequence[Turn], words: tuple[str, str], prefill: str) -> Task:
    instruction = query.chat.text(f" {query.settings.instruction}")
    asks = []
    for passage in query.passages:
        prompt, ids = query.chat.choices(turns, [query.text, passage, instruction], words, prefill)
        asks.append(Ask(prompt, 1, words=ids))
    answers = yield asks
    called = [
        Called(len(ask.prompt), 1, answer, answer.says, answer.says, answer.says)
        for ask, answer in zip(asks, answers, strict=True)
    ]
    # The difference of the logits gives the same order as the probability, which would tie near 0 and 1 in float32.
    return [answer.logits[0] - answer.logits[1] for answer in answers], called


def query_likelihood(query: Query) -> Task:
    """Mean log probability of the query's tokens, as the question that the passage answers."""
    asks = []
    for passage in query.passages:
        prompt, continuation = query.chat.continued(LIKELIHOOD, [query.text, passage], query.question)
        asks.append(Ask(prompt, 1, continuation=continuation))
    answers = yield asks
    # Nothing is written, so no answer can be in the wrong format.
    called = [
        Called(len(ask.prompt) + len(ask.continuation), 1, answer, True, True)
        for ask, answer in zip(asks, answers, strict=True)
    ]
    return [answer.likelihood for answer in answers], called
