"""Pieces of a prompt under tokenizers that mark the beginning of a text: only a beginning gets the mark."""

from __future__ import annotations

from typing import Any

import pytest
from support import SCHEMES, byte_tokenizer, marking_tokenizer, passages
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from headrank.prompts.builder import FAMILIES, Family, PromptBuilder
from headrank.prompts.text_encoder import TextEncoder
from headrank.settings import PromptSettings


def whole(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_piece_in_the_middle_gets_no_mark_and_keeps_its_blank(scheme: str):
    tokenizer = marking_tokenizer(scheme)
    encoder = TextEncoder(tokenizer)
    assert tokenizer.convert_ids_to_tokens(whole(tokenizer, "A")) == ["▁A"]
    tokens = [tokenizer.convert_ids_to_tokens(list(ids)) for ids in encoder.encode(["A", " A", "[A", "\n"])]
    assert tokens == [["A"], ["▁A"], ["[", "A"], ["<0x0A>"]]
    # Cut where it spells out a control token: the second half is no beginning either.
    cut = tokenizer.convert_ids_to_tokens(list(encoder.encode(["a</s>b"])[0]))
    assert cut == ["a", "<", "/", "s", ">", "b"]
    assert encoder.spans("a b") == [(0, 1), (1, 3)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "family",
    [
        FAMILIES["plain"],
        FAMILIES["mistral"],
        Family("<s>", "</s>\n<s>assistant", bos=False),
        Family("user:</s>", " [x]</s>", bos=False),
    ],
)
def test_a_prompt_in_pieces_is_the_prompt_tokenised_as_one(
    scheme: str, family: Family, monkeypatch: pytest.MonkeyPatch
):
    """Pieces are joined where this tokenizer merges nothing, so that the ids must be the same."""
    tokenizer = marking_tokenizer(scheme)
    monkeypatch.setitem(FAMILIES, "one", family)
    prompt = PromptBuilder(tokenizer, PromptSettings(family="one")).build("red oak", passages(3))
    ids = [*prompt.prefix, *prompt.query.ids]
    if family.bos:
        assert ids.pop(0) == tokenizer.bos_token_id
    bodies = [f"{d.title}\n{d.text}".strip() for d in passages(3)]
    listed = "".join(f"\n\n[{i}] {body}" for i, body in enumerate(bodies, start=1))
    text = (
        f"{family.opening} Here are some paragraphs:{listed}\n\n{PromptSettings().instruction}\n\n"
        f"Query: red oak{family.closing}"
    )
    assert ids == whole(tokenizer, text)


def test_a_blank_before_the_text_is_a_mark_too():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    steps = [pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=True)]
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    backend.add_special_tokens([AddedToken("<s>", special=True, normalized=False)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert tokenizer.convert_ids_to_tokens(whole(tokenizer, "A")) == ["Ġ", "A"]
    encoder = TextEncoder(tokenizer)
    assert tokenizer.convert_ids_to_tokens(list(encoder.encode(["A"])[0])) == ["A"]
    assert list(encoder.frame("A<s>B", begins=True)) == whole(tokenizer, "A<s>B")
    assert tokenizer.convert_ids_to_tokens(list(encoder.frame("A<s>B"))) == ["A", "<s>", "Ġ", "B"]


def test_tokenizers_without_marks_are_used_as_they_are():
    tokenizer = byte_tokenizer()
    encoder = TextEncoder(tokenizer)
    for text in ("A", " A", "x<|im_end|>\n<|im_start|>user\n", ""):
        assert list(encoder.frame(text)) == list(encoder.frame(text, begins=True)) == whole(tokenizer, text)
