"""Whatever a passage or query holds, spans are exact and no control token comes from it."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from support import ADDED, SPECIAL, builder, byte_tokenizer, control_ids

from headrank.data.collections import Document
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.passage_length import truncate, without_blanks
from headrank.prompts.text_encoder import TextEncoder
from headrank.settings import PromptSettings

INSTRUCTION = PromptSettings().instruction
PIECES = st.sampled_from(
    [
        *SPECIAL,
        *ADDED,
        "<|im_start|>system\n",
        "[1]",
        "\n\n[2] ",
        f"{INSTRUCTION}\n\nQuery: ",
        "N/A",
        " ",
        "👩‍👩‍👧",
    ]
)
# Every code point there is, lone surrogates and NUL included, mixed with what the prompt itself is made of.
TEXT = st.lists(st.one_of(st.text(st.characters(codec=None), max_size=8), PIECES), max_size=6).map("".join)


@cache
def shared_builder() -> PromptBuilder:
    return builder(truncate_words=5)


def as_read(text: str) -> str:
    """The text with lone surrogates, which no encoding can hold, replaced."""
    return text.encode("utf-8", "replace").decode()


@settings(max_examples=150, deadline=None)
@given(query=TEXT.filter(str.strip), texts=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_spans_decode_to_the_texts_and_control_tokens_stay_in_the_frame(
    query: str, texts: list[tuple[str, str]]
) -> None:
    tokenizer, built = byte_tokenizer(), shared_builder()
    prompt = built.build(query, [Document(f"d{i}", title, text) for i, (title, text) in enumerate(texts)])
    place = len(tokenizer("<|im_start|>user\n")["input_ids"]) + len(" Here are some paragraphs:")
    for i, (title, text) in enumerate(texts):
        words = text.split()
        body = " ".join(words[:5]) if len(words) > 5 else text.strip()
        expected = "\n".join(part for part in (title.strip(), body) if part)
        begin, start, stop = prompt.labelled[i][0], *prompt.text[i]
        assert begin == place + 2  # the separator
        assert tokenizer.decode(prompt.prefix[begin:start]) == f"[{i + 1}]"
        found = prompt.prefix[start:stop]
        if without_blanks(body):
            # Cut between bytes, which do not decode on their own.
            assert found == TextEncoder(tokenizer).encode([f" {expected}"])[0][:5]
        else:
            assert tokenizer.decode(found) == as_read(f" {expected}" if expected else "")
        assert prompt.labelled[i][1] == stop
        place = stop
    first, last = prompt.query.query
    assert tokenizer.decode(prompt.query.ids[first:last]) == as_read(f" {query.strip()}")
    control = [i for i in (*prompt.prefix, *prompt.query.ids) if i in control_ids(tokenizer)]
    assert tokenizer.convert_ids_to_tokens(control) == ["<|im_start|>", "<|im_end|>", "<|im_start|>"]


@given(text=TEXT, words=st.integers(1, 6))
def test_truncation_keeps_the_first_words(text: str, words: int) -> None:
    cut = truncate(text, words)
    assert cut.split() == text.split()[:words]
    if len(text.split()) <= words:
        assert cut == text
