"""The mark, or blank, that some tokenizers put before a text, and that a text must not get in the middle of a prompt.

SentencePiece's tokenizers (Llama 2's, Mistral's) spell a word at the beginning of a text as they do after a blank: "A"
becomes "▁A". A prompt is tokenised in pieces, of which only the first is the beginning of a text.
"""

from __future__ import annotations

from typing import Any, Literal

# Whether a tokenizer marks the beginning of a whole text only, or also what follows a control token.
Marks = Literal["", "text", "section"]
_MARK = "Prepend"


def without_marks(state: dict[str, Any]) -> Marks:
    """Change a tokenizer's ``state`` (its JSON, as tokenizers writes it) so that it marks nothing; what it marked."""
    found: list[Marks] = []
    normalizer = state.get("normalizer")
    for part in _parts(normalizer, "normalizers"):
        if part["type"] == _MARK:
            found.append("section")
    if found and normalizer is not None:
        state["normalizer"] = _without(normalizer)
    for part in _parts(state.get("pre_tokenizer"), "pretokenizers"):
        if part["type"] == "Metaspace" and part.get("prepend_scheme", "always") != "never":
            found.append("text" if part.get("prepend_scheme") == "first" else "section")
            part["prepend_scheme"] = "never"
        elif part["type"] == "ByteLevel" and part.get("add_prefix_space"):
            found.append("section")
            part["add_prefix_space"] = False
    if "section" in found:
        return "section"
    return "text" if found else ""


def _parts(part: dict[str, Any] | None, inner: str) -> list[dict[str, Any]]:
    """A step of the tokenizer, or the steps that it consists of."""
    if part is None:
        return []
    if part["type"] != "Sequence":
        return [part]
    return [step for one in part[inner] for step in _parts(one, inner)]


def _without(part: dict[str, Any]) -> dict[str, Any] | None:
    if part["type"] == _MARK:
        return None
    if part["type"] != "Sequence":
        return part
    kept = [step for step in map(_without, part["normalizers"]) if step is not None]
    return {**part, "normalizers": kept}
