"""Settings of the generative references; the configuration's ``generative:`` section has the same names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headrank.specs import Count, Several


@dataclass(frozen=True)
class GenerativeSettings:
    """How prompts are cut and windows slide, and how answers are read.

    window, stride: candidates per listwise prompt and how far the window moves, back to front. words, tokens: passages
    are cut to this many words or, if tokens is given, to this many tokens. passage_tokens, query_tokens: setwise
    prompts cut passages and query to this many tokens. children, top_k: setwise compares a passage with ``children``
    others at once, until ``top_k`` are in order. invalid: what happens to a listwise answer with missing or repeated
    numbers: it is mended (as in rank_llm) or ignored (as in ICR's repository). new_tokens: longest answer; None for the
    length of a whole permutation. batch_tokens: padded tokens of one forward pass. instruction: Qwen3-Reranker's task.
    """

    window: Count = 20
    stride: Count = 10
    words: Count = 300
    tokens: Count | None = None
    passage_tokens: Count = 128
    query_tokens: Count = 32
    children: Several = 3
    top_k: Count = 10
    invalid: Literal["mend", "ignore"] = "mend"
    new_tokens: Count | None = None
    batch_tokens: Count = 16384
    instruction: str = "Given a web search query, retrieve relevant passages that answer the query"
