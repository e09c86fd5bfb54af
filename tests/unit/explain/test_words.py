"""Words made of tokens: none is lost, and a passage cannot disturb the page."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import byte_tokenizer, marking_tokenizer

from headrank.data.collections import Document
from headrank.explain.columns import columns_of
from headrank.explain.explanation import Explanation, Part
from headrank.explain.page_data import by_word
from headrank.explain.words import visible, words_of
from headrank.prompts.builder import PromptBuilder
from headrank.settings import PromptSettings

Token = tuple[Part, int, int, str]


def explained(text: str, spans: list[tuple[int, int]], *extra: Token) -> Explanation:
    tokens = (*extra, *(("text", a, b, text[a:b]) for a, b in spans))
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, len(tokens)))
    left_out = np.zeros((2, len(tokens)), dtype=bool)
    rest = np.zeros(2)
    heads = ((0, 1), (2, 3))
    return Explanation(text, "", 0, heads, tokens, weights, weights, None, left_out, rest, False, 0.0)


def cut(text: str, *pieces: str) -> list[tuple[int, int]]:
    """The spans of pieces that make up a text."""
    assert "".join(pieces) == text
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        # A word's tokens are put together, and a full stop stays apart.
        (["Sun", "light", " is", " scatter", "ed", "."], ["Sunlight", "is", "scattered", "."]),
        (["It", "'s", " blue", "-", "sky"], ["It's", "blue", "-", "sky"]),
        # A blank of its own goes with what follows; a line break is shown.
        (["Title", "\n", "The", " ", "air"], ["Title", "⏎", "The", "air"]),
        ([" ", " ", "x"], ["x"]),
        (["x", " "], ["x", "␣"]),
        (["end", ".\n", "Next"], ["end", ".", "Next"]),
        # No blanks between words: each token is one.
        (["天空", "是", "蓝", "。"], ["天空", "是", "蓝", "。"]),
        # Marks and joiners stay with what they follow.
        (["e", "\u0301", "t", "e"], ["e\u0301te"]),
        (["👩", "\u200d", "🚀", "!"], ["👩\u200d🚀!"]),
        # What would turn the page's text around is spelt out.
        (["abc", "\u202e", "def"], ["abc⟨U+202E⟩def"]),
    ],
)
def test_words_by_hand(pieces: list[str], words: list[str]) -> None:
    text = "".join(pieces)
    assert [word.text for word in words_of(explained(text, cut(text, *pieces)))] == words


def test_the_tokens_of_one_character_are_one_word() -> None:
    found = words_of(explained("a 🐟 b", [(0, 1), (1, 3), (2, 3), (2, 3), (2, 3), (3, 5)]))
    assert [(word.text, word.first, word.last) for word in found] == [("a", 0, 1), ("🐟", 1, 5), ("b", 5, 6)]


def test_a_label_is_one_word_before_the_text() -> None:
    label: list[Token] = [("label", 0, 0, "["), ("label", 0, 0, "12"), ("label", 0, 0, "]")]
    found = words_of(explained("a b", [(0, 1), (1, 3)], *label))
    assert [(word.part, word.text) for word in found] == [("label", "[12]"), ("text", "a"), ("text", "b")]


TEXTS = [
    "Red oaks, and a river.\nIt's  blue-sky; naïve ﬁsh 🐟🐟 end",
    "天空 is 蓝色的。 ภาษาไทย mixed",
    "a separator\x1f",
    "\x1e\n\x1f",
    "\x00\x07 </script><!-- \u202eabc\u202c \u2028 &amp; 👩\u200d🚀 \U000e0041",
    " \n \n ",
]


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_is_lost_between_tokens_and_words(text: str) -> None:
    builder = PromptBuilder(marking_tokenizer("prepend"), PromptSettings(family="plain"))
    read = builder.passage_read(Document("x", "", text))
    one = explained(read.text, list(read.tokens))
    words = words_of(one)
    # Every token is in one word, in order, so that the sums are the same.
    assert [place for word in words for place in range(word.first, word.last)] == list(range(len(one.tokens)))
    columns = columns_of(one.heads)
    np.testing.assert_allclose(by_word(one.weights, words, columns).sum(axis=0), one.weights.sum(axis=1))
    # And every visible character is shown, spelt out where it would do something.
    shown = "".join(word.before + word.text for word in words if word.text not in "⏎␣")
    assert "".join(shown.split()) == "".join(visible(read.text).split())
    assert not any(c in shown for c in "\x00\x07\u202e\u202c\u2028\U000e0041")


@example("0\x80\x1f0", "bytes", 5)
@given(st.text(max_size=60), st.sampled_from(["bytes", "marks"]), st.none() | st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_any_text_keeps_its_tokens_and_its_characters(text: str, kind: str, cut: int | None) -> None:
    tokenizer = byte_tokenizer() if kind == "bytes" else marking_tokenizer("always")
    builder = PromptBuilder(tokenizer, PromptSettings(family="plain", truncate_tokens=cut))
    read = builder.passage_read(Document("x", "", text))
    one = explained(read.text, list(read.tokens))
    words = words_of(one)
    assert [place for word in words for place in range(word.first, word.last)] == list(range(len(one.tokens)))
    shown = "".join(word.before + word.text for word in words)
    # Blanks may be shown by marks, which the text may hold as well.
    bare = str.maketrans("", "", "⏎␣")
    assert "".join(shown.translate(bare).split()) == "".join(visible(read.text).translate(bare).split())
    assert all(
        unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") for c in shown if c not in "\n\t\u200c\u200d"
    )


def test_many_heads_are_shown_by_layer_and_their_sums_stay() -> None:
    heads = [(layer, head) for layer in (3, 1) for head in range(20)]
    columns = columns_of(heads)
    assert [(column.name, len(column.heads)) for column in columns] == [("layer 1", 20), ("layer 3", 20)]
    values = np.random.default_rng(1).normal(size=(40, 3))
    words = words_of(explained("a b c", [(0, 1), (1, 3), (3, 5)]))
    found = by_word(values, words, columns)
    np.testing.assert_allclose(found[:, 0], values[20:].sum(axis=0))
    assert [column.name for column in columns_of([(8, 3), (2, 0)])] == ["8-3", "2-0"]
