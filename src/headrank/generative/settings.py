"""Settings of the generative references; the configuration's ``generative:`` section has the same names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headrank.specs import Count, Several


@dataclass(frozen=True)
class GenerativeSettings:
    """How prompts are cut and windows slide, and how answers are read.

    window, stride: candidates per listwise prompt and how far the window moves, back to front. words: passages are cut
    to this many. passage_tokens, query_tokens: setwise prompts cut both to so many tokens. children, top_k: setwise
    compares a passage with so many others at once, until so many are in order. invalid: what becomes of a listwise
    answer with missing or repeated numbers, mended (rank_llm) or ignored (ICR's repository). new_tokens: longest
    answer; None is what a whole permutation takes. batch_tokens: padded tokens of one forward pass. instruction:
    Qwen3-Reranker's task.
    """

    window: Count = 20
    stride: Count = 10
    words: Count = 300
    passage_tokens: Count = 128
    query_tokens: Count = 32
    children: Several = 3
    top_k: Count = 10
    invalid: Literal["mend", "ignore"] = "mend"
    new_tokens: Count | None = None
    batch_tokens: Count = 16384
    instruction: str = "Given a web search query, retrieve relevant passages that answer the query"
