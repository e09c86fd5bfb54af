"""Whether a tokenizer gives prompts whose spans hold exactly the passages, as text and never as control tokens."""

from __future__ import annotations

from typing import Any

from headrank.data.collections import Document
from headrank.doctor.check import WRONG, Check, failed, ok
from headrank.errors import shown
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.text_encoder import TextEncoder

_TEXTS = (
    "",
    "A passage of plain words, with 42 numbers.",
    "[2] What looks like another passage's label",
    "Query: what looks like the question\nin two lines",
    "naïve Ærøskøbing, 東京タワー, Ελλάδα, شكرا, 👍🏽",
    "x" * 300,
)
# Some tokenizers have hundreds of reserved control tokens, all alike.
_MOST = 64


def spans_check(tokenizer: Any, builder: PromptBuilder) -> Check:
    """Build one prompt of difficult passages and decode its spans."""
    control = TextEncoder(tokenizer).control
    named = list(control.values())[:_MOST]
    texts = [*_TEXTS, *(f"before {token} after" for token in named)]
    query = f"what does {named[0] if named else 'it'} mean?"
    prompt = builder.build(query, [Document(str(i), "", text) for i, text in enumerate(texts)])

    def decoded(ids: tuple[int, ...]) -> str:
        text: str = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text.strip()

    spans = [prompt.prefix[start:stop] for start, stop in prompt.text]
    spans.append(prompt.query.ids[slice(*prompt.query.query)])
    name = "spans"
    for text, ids in zip([*texts, query], spans, strict=True):
        became = [control[i] for i in ids if i in control]
        if became:
            return failed(
                name,
                f"the text {shown(text)} became the control token {shown(became[0])}",
                "texts could act as the prompt's frame with this tokenizer; do not use it, and report this",
                WRONG,
            )
        if decoded(ids) != text.strip():
            return failed(
                name,
                f"{shown(text)} is read as {shown(decoded(ids))}",
                "the tokenizer does not keep text as it is; use another one, or report this",
                WRONG,
            )
    for number, (start, stop) in enumerate(prompt.labelled, 1):
        if not decoded(prompt.prefix[start:stop]).startswith(f"[{number}]"):
            return failed(
                name, f"passage {number} has no label [{number}]", "report this with the model's name", WRONG
            )
    return ok(
        name,
        f"{len(texts)} passages and a question decode to their texts; {len(control)} control tokens in none",
    )
