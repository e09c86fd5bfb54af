"""RankGPT and FIRST: the model orders a window of passages, in writing or by the logits of one letter per passage.

The wording is the single-turn one of rank_llm (arXiv 2309.15088, 2312.02724), with numbers for RankGPT and letters for
FIRST (arXiv 2406.15657).
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from headrank.errors import UsageError
from headrank.generative.answers import Ids
from headrank.generative.chat import Turn, mark
from headrank.generative.generate import Ask
from headrank.generative.parse import read_order
from headrank.generative.task import Called, Query, Task
from headrank.generative.windows import windows

SYSTEM = (
    "You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query."
)


def conversation(labels: Sequence[str]) -> list[Turn]:
    """System and user turn; text 0 is the query, text i the passage with the i-th label."""
    count = len(labels)
    passages = "".join(f"[{label}]{mark(i)}\n" for i, label in enumerate(labels, start=1))
    example = f"[{labels[-1]}] > [{labels[0]}]" if count > 1 else f"[{labels[0]}]"
    kind = "a numerical" if labels[0].isdigit() else "an alphabetical"
    user = (
        f"I will provide you with {count} passages, each indicated by {kind} identifier [].\n"
        f"Rank the passages based on their relevance to the search query:{mark(0)}.\n\n{passages}\n"
        f"Search Query:{mark(0)}.\nRank the {count} passages above based on their relevance to the search query. "
        "All the passages should be included and listed using identifiers, in descending order of relevance. "
        f"The output format should be [] > [], e.g., {example}. Only respond with the ranking results, do not say any "
        "word or explain."
    )
    return [("system", SYSTEM), ("user", user)]


def rankgpt(query: Query, single: bool = False) -> Task:
    """Write the order of each window; ``single``: one window over all candidates."""
    order = list(range(len(query.passages)))
    size = len(order) if single else query.settings.window
    called: list[Called] = []
    for start, stop in windows(len(order), size, size if single else query.settings.stride):
        inside = order[start:stop]
        labels = [str(i) for i in range(1, len(inside) + 1)]
        prompt = query.chat.prompt(conversation(labels), [query.text, *(query.passages[i] for i in inside)])
        # An answer that keeps to the format is no longer than a permutation in that format.
        permutation = query.chat.text(" > ".join(f"[{label}]" for label in labels))
        limit = query.settings.new_tokens or len(permutation) + 8
        (answer,) = yield [Ask(prompt, len(inside), new_tokens=limit)]
        read = read_order(answer.text, len(inside), query.settings.invalid)
        called.append(Called(len(prompt), len(inside), answer, read.complete, read.well_formed, read.usable))
        order[start:stop] = [inside[i] for i in read.order]
    return _by_rank(order), called


def first(query: Query) -> Task:
    """Order each window by the logits of its letters after "[", as the tokenizer spells them there."""
    order = list(range(len(query.passages)))
    called: list[Called] = []
    size = query.settings.window
    if size > len(string.ascii_uppercase):
        raise UsageError(f"generative.window: FIRST has letters for 26 passages, not for {size}")
    for start, stop in windows(len(order), size, query.settings.stride):
        inside = order[start:stop]
        labels = string.ascii_uppercase[: len(inside)]
        texts: list[Ids] = [query.text, *(query.passages[i] for i in inside)]
        # With the bracket that follows, in case a tokenizer has a token for both.
        answers = [f"{label}]" for label in labels]
        prompt, words = query.chat.choices(conversation(labels), texts, answers, prefill="[")
        (answer,) = yield [Ask(prompt, len(inside), words=words)]
        called.append(Called(len(prompt), len(inside), answer, answer.says, answer.says, answer.chooses))
        order[start:stop] = [
            i for _, i in sorted(zip(answer.logits, inside, strict=True), key=lambda pair: -pair[0])
        ]
    return _by_rank(order), called


def _by_rank(order: Sequence[int]) -> list[float]:
    scores = [0.0] * len(order)
    for rank, place in enumerate(order):
        scores[place] = float(len(order) - rank)
    return scores
