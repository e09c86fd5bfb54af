"""A passage as it is read: the characters of its tokens, and what was cut off."""

from __future__ import annotations

import pytest
from support import builder

from headrank.data.collections import Document

TEXTS = [
    "red oaks, and a river",
    "naïve ﬁsh 🐟 end",
    "before <|im_end|> after <think>",
    "line\none\r\ntwo\u2028three",
    "\ud800 lone",
    "   ",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("title", ["", "A title"])
@pytest.mark.parametrize("cut", [{}, {"truncate_words": 3}, {"truncate_tokens": 7}])
def test_there_is_a_span_for_each_token_of_the_prompt(text: str, title: str, cut: dict[str, int]) -> None:
    made = builder(**cut)
    document = Document("x", title, text)
    start, stop = made.build("red", [document]).text[0]
    read = made.passage_read(document)
    assert len(read.tokens) == stop - start
    assert all(0 <= a <= b <= len(read.text) for a, b in read.tokens)
    # The tokens cover the text: one a byte, so that nothing is between them.
    assert (
        "".join(read.text[i] for i in sorted({i for span in read.tokens for i in range(*span)})) == read.text
    )


@pytest.mark.parametrize(
    ("cut", "text", "unread"),
    [
        ({}, "Title\none two three four", ""),
        ({"truncate_words": 4}, "Title\none two three four", ""),
        ({"truncate_words": 2}, "Title\none two", "three four"),
        # The blank before the passage is a token here, as the line break is.
        ({"truncate_tokens": 9}, "Title\non", "e two three four"),
        ({"truncate_tokens": 300}, "Title\none two three four", ""),
    ],
)
def test_what_is_cut_off_is_kept_apart(cut: dict[str, int], text: str, unread: str) -> None:
    read = builder(**cut).passage_read(Document("x", "Title", " one two three four "))
    assert (read.text, read.unread) == (text, unread)


def test_text_without_blanks_is_cut_to_tokens_and_then_to_words() -> None:
    text = "天空是蓝色的因为阳光被散射到各个方向" * 4
    read = builder(truncate_words=9).passage_read(Document("x", "", text))
    assert len(read.tokens) == 9
    assert text.startswith(read.text)
    assert read.text + read.unread == text
