"""Setwise: the model names the most relevant of a few passages, and heapsort does the rest (arXiv 2310.09497)."""

from __future__ import annotations

import string
from collections.abc import Generator, Sequence

from headrank.errors import InputError
from headrank.generative.answers import Ids
from headrank.generative.chat import Turn, mark
from headrank.generative.generate import Answer, Ask
from headrank.generative.task import Called, Query, Task

LABELS = string.ascii_uppercase + string.ascii_lowercase


def conversation(count: int) -> list[Turn]:
    """Text 0 is the query, text i passage i."""
    passages = "\n\n".join(f'Passage {LABELS[i - 1]}: "{mark(i)}"' for i in range(1, count + 1))
    return [
        (
            "user",
            f'Given a query "{mark(0)}", which of the following passages is the most relevant one to the query?\n\n'
            f"{passages}\n\nOutput only the passage label of the most relevant passage:",
        )
    ]


def setwise(query: Query) -> Task:
    """Heapsort until ``top_k`` passages are in order; the rest follow in first-stage order."""
    called: list[Called] = []
    count = len(query.passages)
    best = yield from heapsort(
        count, query.settings.children, min(query.settings.top_k, count), query, called
    )
    order = [*best, *(i for i in range(count) if i not in set(best))]
    scores = [0.0] * count
    for rank, place in enumerate(order):
        scores[place] = float(count - rank)
    return scores, called


def setwise_single(query: Query) -> Task:
    """All candidates in one prompt, ranked by the logits of their labels."""
    prompt, words = _prompt(query, range(len(query.passages)))
    (answer,) = yield [Ask(prompt, len(words), words=words)]
    return list(answer.logits), [
        Called(len(prompt), len(words), answer, answer.says, answer.says, answer.chooses)
    ]


def heapsort(
    count: int, children: int, top_k: int, query: Query, called: list[Called]
) -> Generator[list[Ask], list[Answer], list[int]]:
    """The ``top_k`` best of ``count`` places, best first, by comparing each with ``children`` others at once."""
    heap = list(range(count))

    def sift(place: int, size: int) -> Generator[list[Ask], list[Answer], None]:
        while (begin := place * children + 1) < size:
            family = [place, *range(begin, min(begin + children, size))]
            winner = yield from _compare(query, [heap[i] for i in family], called)
            if winner == 0:
                return
            heap[place], heap[family[winner]] = heap[family[winner]], heap[place]
            place = family[winner]

    for place in reversed(range((count - 2) // children + 1 if count > 1 else 0)):
        yield from sift(place, count)
    best = []
    for size in range(count, count - top_k, -1):
        best.append(heap[0])
        heap[0] = heap[size - 1]
        if len(best) < top_k:
            yield from sift(0, size - 1)
    return best


def _compare(
    query: Query, places: Sequence[int], called: list[Called]
) -> Generator[list[Ask], list[Answer], int]:
    """Which of the passages wins, by number: the label with the highest logit."""
    prompt, words = _prompt(query, places)
    (answer,) = yield [Ask(prompt, len(places), words=words)]
    called.append(Called(len(prompt), len(places), answer, answer.says, answer.says, answer.chooses))
    return max(range(len(places)), key=lambda i: (answer.logits[i], -i))


def _prompt(query: Query, places: Sequence[int]) -> tuple[Ids, tuple[Ids, ...]]:
    if len(places) > len(LABELS):
        raise InputError(
            f"query {query.qid!r}: setwise has labels for {len(LABELS)} passages, not for {len(places)}"
        )
    s = query.settings
    texts = [query.text[: s.query_tokens], *(query.passages[i][: s.passage_tokens] for i in places)]
    answers = [f" {label}" for label in LABELS[: len(places)]]
    return query.chat.choices(conversation(len(places)), texts, answers, " Passage:")
