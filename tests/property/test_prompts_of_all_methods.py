"""Whatever a query and passages hold, they become no control token, in any prompt of any method and tokenizer."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from families import family_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ADDED, SCHEMES, SPECIAL, byte_tokenizer, control_ids, marking_tokenizer
from transformers import AutoTokenizer

from headrank.data.collections import Document
from headrank.generative.chat import Chat
from headrank.generative.generate import Answer
from headrank.generative.settings import GenerativeSettings
from headrank.generative.task import Query
from headrank.methods.entry import Released
from headrank.methods.table import ASKED, FROZEN
from headrank.planted.tokenizer import CHAT_TEMPLATE, make_tokenizer
from headrank.prompts.builder import FAMILIES, PromptBuilder
from headrank.settings import EncodingSettings, PromptSettings

FRAMED = [name for name in FAMILIES if name != "plain"]
# Of real collections comes a real tokenizer.
DATA = Path(os.environ.get("HEADRANK_DATA") or Path(__file__).parents[2] / ".." / "shared" / "data")
REAL = ["qwen3-tokenizer"] if (DATA / "qwen3-tokenizer").is_dir() else []
TOKENIZERS = ["bytes", "planted", *REAL, *FRAMED, *SCHEMES]
GENERATIVE = GenerativeSettings(window=3, stride=2, top_k=2)
# What tokenizers have as control tokens, and what prompts have around passages.
PIECES = st.sampled_from(
    [
        *(*SPECIAL, *ADDED, "<unk>", "<s>", "</s>", "<0x0A>", "▁"),
        *(part for family in FAMILIES.values() for part in (family.opening, family.closing)),
        *("[1]", "[2] > [1]", "Passage A:", "\n\nQuery: ", "\ue0000\ue001", "{{ 1 // 0 }}", "<", "|>"),
    ]
)
TEXT = st.lists(st.one_of(st.text(st.characters(codec=None), max_size=4), PIECES), max_size=5).map("".join)


@cache
def tokenizer_of(name: str) -> Any:
    # The others are shared with other tests, which a template of their own would change.
    if name == "bytes":
        return copy.deepcopy(byte_tokenizer())
    if name == "planted":
        return make_tokenizer(["red", "oak"])
    if name in REAL:
        return AutoTokenizer.from_pretrained(str(DATA / name))
    return family_tokenizer(name) if name in FRAMED else copy.deepcopy(marking_tokenizer(name))


def family_of(name: str) -> str:
    """The chat frame that the tokenizer has the control tokens of."""
    return name if name in FRAMED else "plain" if name in SCHEMES else "qwen3"


@cache
def chat_of(name: str) -> Chat:
    tokenizer = tokenizer_of(name)
    frame = FAMILIES[family_of(name)]
    if frame.opening and name not in REAL:
        turn = f"{{{{ {frame.opening!r} + m.content + {frame.closing!r} }}}}"
        tokenizer.chat_template = f"{{% for m in messages %}}{turn}{{% endfor %}}"
    if name == "planted":
        tokenizer.chat_template = CHAT_TEMPLATE
    return Chat(tokenizer)


def asked(name: str, method: str, query: str, passages: Sequence[str]) -> list[tuple[int, ...]]:
    """All that a generative method asks about the passages."""
    chat = chat_of(name)
    texts = tuple(chat.text(f" {passage}") for passage in passages)
    task = ASKED[method].ask(Query("q", query, chat.text(f" {query}"), texts, chat, GENERATIVE))
    found, answers = [], None
    while True:
        try:
            asks = next(task) if answers is None else task.send(answers)
        except StopIteration:
            return found
        found += [(*ask.prompt, *ask.continuation) for ask in asks]
        answers = [Answer(logits=tuple(0.0 for _ in ask.words)) for ask in asks]


@cache
def builders_of(name: str) -> list[PromptBuilder]:
    """Builders of the shared prompt, of passages read one by one, and of each method's own prompt."""
    tokenizer, given_ = tokenizer_of(name), PromptSettings(family=family_of(name))
    own = [entry.template(given_.family, "") for entry in FROZEN.values() if isinstance(entry, Released)]
    alone = PromptBuilder(tokenizer, given_, encoding=EncodingSettings("independent", "segment", 2))
    return [PromptBuilder(tokenizer, given_), alone, *(PromptBuilder(tokenizer, given_, one) for one in own)]


def controls(name: str, ids: Sequence[int]) -> list[int]:
    known = control_ids(tokenizer_of(name))
    return [i for i in ids if i in known]


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=12, deadline=None)
@given(query=TEXT.filter(str.strip), texts=st.lists(TEXT, min_size=4, max_size=4))
def test_the_control_tokens_of_a_question_are_those_of_its_frame(
    name: str, query: str, texts: list[str]
) -> None:
    for method in ASKED:
        hostile = asked(name, method, query, texts)
        plain = asked(name, method, "red oak", ["a"] * len(texts))
        assert [controls(name, ids) for ids in hostile] == [controls(name, ids) for ids in plain], method


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=12, deadline=None)
@given(query=TEXT.filter(str.strip), texts=st.lists(st.tuples(TEXT, TEXT), min_size=3, max_size=3))
def test_the_control_tokens_of_a_prompt_are_those_of_its_frame(
    name: str, query: str, texts: list[tuple[str, str]]
) -> None:
    for builder in builders_of(name):
        hostile = builder.build(query, [Document(f"d{i}", *both) for i, both in enumerate(texts)])
        plain = builder.build("red oak", [Document(f"d{i}", "", "a") for i in range(len(texts))])
        for prompt in (hostile, plain):
            for branch in (prompt.query, prompt.null):
                frame = controls(name, (*plain.prefix, *plain.query.ids))
                assert controls(name, (*prompt.prefix, *branch.ids)) == frame
