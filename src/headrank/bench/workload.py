"""What is scored: one query and N passages of a given length, as text and as the prompt built from it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from headrank.data.collections import Document
from headrank.errors import UsageError
from headrank.generative.listwise import conversation
from headrank.generative.pointwise import LIKELIHOOD, QWEN3_RERANKER, YES_NO
from headrank.generative.settings import GenerativeSettings
from headrank.planted.tokenizer import make_tokenizer
from headrank.prompts.builder import Prompt, PromptBuilder
from headrank.settings import PromptSettings

# Qwen3's tokenizer on 1,000 passages of MS MARCO (DL 2019's candidates): 1.38 tokens per blank-separated word.
TOKENS_PER_WORD = 1.38
# Each is one token of Qwen3's tokenizer when a blank stands before it.
_TEXT = """
time people year way day thing man world life hand part child eye woman place work week case point
government company number group problem fact water money story month lot right study book word business
issue side kind head house service friend father power hour game line end member law car city community name
president team minute idea body information back parent face others level office door health person art war
history party result change morning reason research girl guy moment air teacher force education foot boy age
policy process music market sense nation plan college interest death experience effect use class control
field development role effort rate heart drug show leader light voice wife police mind price report decision
son view relationship town road arm difference value building action season society tax director position
player record paper space ground form event official matter center couple site project base star table need
court oil situation cost industry figure street image phone data
"""
WORDS = _TEXT.split()
QUERY_WORDS = 8
MOST_PASSAGES, MOST_WORDS = 10_000, 1_000_000


@dataclass(frozen=True)
class Workload:
    """One query with its candidates. passage_tokens: length of each passage, blanks in front included."""

    query: str
    documents: tuple[Document, ...]
    passage_tokens: int
    prompt: Prompt
    builder: PromptBuilder


def make_workload(tokenizer: Any, n: int, words: int, seed: int = 0) -> Workload:
    """N passages of frequent words in random order, each as long as ``words`` words of MS MARCO.

    Raises InputError for a list that no model could read and that would take minutes to make.
    """
    if n > MOST_PASSAGES or n * words > MOST_WORDS:
        raise UsageError(
            f"{n} passages of {words} words: at most {MOST_PASSAGES} passages and {MOST_WORDS} words fit into a list"
        )
    tokens = round(words * TOKENS_PER_WORD)
    rng = np.random.default_rng([seed, n, words])
    documents = tuple(Document(str(i), "", " ".join(rng.choice(WORDS, tokens))) for i in range(n))
    query = " ".join(rng.choice(WORDS, QUERY_WORDS))
    family = "qwen3" if "<|im_start|>" in tokenizer.get_vocab() else "plain"
    builder = PromptBuilder(tokenizer, PromptSettings(family=family, truncate_words=tokens))
    return Workload(query, documents, tokens, builder.build(query, documents), builder)


def word_tokenizer() -> PreTrainedTokenizerBase:
    """A tokenizer that knows the words of the passages and of all prompts, for use when no published one is available.

    Labels such as "[12]" are spelt out, as Qwen3's tokenizer does.
    """
    settings = PromptSettings()
    turns = [*conversation(["1", "2"]), *conversation(["A", "B"]), *YES_NO, *LIKELIHOOD, *QWEN3_RERANKER]
    texts = [settings.instruction, GenerativeSettings().instruction, *(content for _, content in turns)]
    return make_tokenizer([*WORDS, *_words(texts)], labels=0)


def _words(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in re.findall(r"[A-Za-z]+", text)]
