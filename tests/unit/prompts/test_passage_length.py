"""How much of a passage is kept: words, tokens where there are no blanks, and tokens on request."""

from __future__ import annotations

import pytest
from support import builder, byte_tokenizer

from headrank.data.collections import Document
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.passage_length import kept, truncate, without_blanks
from headrank.prompts.templates import Template
from headrank.prompts.text_encoder import TextEncoder

CHINESE = "红橡树是一种落叶乔木，生长在北美洲东部。" * 60
THAI = "ต้นโอ๊กแดงเป็นไม้ผลัดใบขนาดใหญ่" * 60
JAPANESE = "アカガシワは北アメリカ東部に分布する落葉高木である。" * 60


def length(document: Document, **prompt: object) -> int:
    ((start, stop),) = builder(**prompt).build("oak", [document]).text
    return stop - start


@pytest.mark.parametrize("text", [CHINESE, THAI, JAPANESE, CHINESE[:600] + " " + CHINESE])
def test_text_without_blanks_is_cut_to_as_many_tokens_as_others_to_words(text: str) -> None:
    assert without_blanks(text)
    assert length(Document("d", "", text), truncate_words=40) == 40
    # A short one stays whole: three bytes a character, and the blank in front.
    assert length(Document("d", "", CHINESE[:12]), truncate_words=40) == 37


@pytest.mark.parametrize(
    "text",
    [
        "word " * 400,
        "Donaudampfschiff " * 300 + "und so weiter " * 300,
        "https://example.org/a/rather/long/address/of/a/page and some words behind it " * 60,
        "The oak (红橡树) is a tree. " * 90,
        # Remains of a page, long words, none of them a sentence.
        'Click blank. {"smallUrl":"https://www.example.org/images/thumb/2/2a/step-3.jpg","big":1} ' * 40,
        "x" * 5000,
        "오크나무는 낙엽수이다 " * 400,
        # Words that someone has set apart.
        "红 橡树 是 一种 落叶 乔木 " * 100,
    ],
)
def test_text_with_blanks_is_cut_as_before(text: str) -> None:
    text = text.strip()
    assert kept(text, 300, None) == (truncate(text, 300), None)


def test_what_follows_the_words_that_are_kept_does_not_matter() -> None:
    text = "red oak " * 200 + CHINESE
    assert kept(text, 300, None) == ("red oak " * 149 + "red oak", None)


@pytest.mark.parametrize("text", [CHINESE, "red oak " * 100])
@pytest.mark.parametrize("tokens", [1, 50])
def test_tokens_are_counted_on_request(text: str, tokens: int) -> None:
    assert length(Document("d", "", text), truncate_tokens=tokens) == tokens
    assert length(Document("d", "A title", text), truncate_tokens=tokens) == tokens
    long = Document("d", "", "red oak " * 500)
    # More than 300 words, which are not counted then.
    assert length(long, truncate_tokens=3900) == 3900
    assert length(long) == len(" red oak") * 150


@pytest.mark.parametrize("tokens", [None, 25])
def test_stems_belong_to_the_tokens_that_are_kept(tokens: int | None) -> None:
    document = Document("d", "A title", CHINESE)
    built = builder(truncate_words=30, truncate_tokens=tokens)
    ((start, stop),) = built.build("oak", [document]).text
    assert len(built.passage_words(document)) == stop - start == (tokens or 30)


def test_the_authors_templates_are_cut_by_tokens_too() -> None:
    built = PromptBuilder(byte_tokenizer(), template=Template(words=400, tokens=7))
    prompt = built.build("oak", [Document("d", "", CHINESE)])
    ((start, stop),) = prompt.text
    assert prompt.prefix[start:stop] == TextEncoder(byte_tokenizer()).encode([f" {CHINESE}"])[0][:7]
