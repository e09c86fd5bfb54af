"""Encoding of a prompt's pieces: passages and queries, whatever is in them, stay text, and a piece is no beginning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from headrank.errors import InputError
from headrank.prompts.word_marks import without_marks


def as_utf8(text: str) -> str:
    """The text with its lone surrogates replaced: they have no UTF-8 form, and a tokenizer would raise on them."""
    return text.encode("utf-8", "replace").decode("utf-8")


class TextEncoder:
    """Encodes untrusted text: no input can produce a control token of the tokenizer.

    The tokenizer's added tokens (special or not: ``<think>`` is added but not special) are taken out of a copy
    of the fast tokenizer. Should the plain vocabulary itself hold such a string, the string is cut in two first.

    Pieces are encoded as in the middle of a text: without the mark that a tokenizer may put before a text's first word
    (``headrank.prompts.word_marks``).
    """

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import Tokenizer

        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise InputError("the tokenizer has no fast backend (tokenizer.json); spans need one")
        state = json.loads(backend.to_str())
        unknown = tokenizer.unk_token_id
        self.control = {
            token["id"]: token["content"]
            for token in state["added_tokens"]
            if token["id"] != unknown and token["content"].strip()
        }
        state.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
        beginning = json.dumps(state)
        self._marks = without_marks(state)
        self._tokenizer = tokenizer
        self._plain = Tokenizer.from_str(json.dumps(state))
        self._beginning = Tokenizer.from_str(beginning) if self._marks else self._plain
        contents = sorted(self.control.values(), key=len, reverse=True)
        self._control_text = re.compile("|".join(map(re.escape, contents))) if contents else None

    def frame(self, text: str, begins: bool = False) -> tuple[int, ...]:
        """Token ids of a trusted text, control tokens included; ``begins``: a prompt begins with it."""
        if not text:
            return ()
        first = None if self._control_text is None else self._control_text.search(text)
        cut = len(text) if first is None else first.start()
        if begins or not self._marks or not cut:
            return tuple(self._tokenizer(as_utf8(text), add_special_tokens=False)["input_ids"])
        # What follows a control token is marked or not wherever the control token stands.
        return (*self.encode([text[:cut]])[0], *self.frame(text[cut:]))

    def after(self, before: str, text: str) -> tuple[int, ...]:
        """Token ids of a text right after the trusted text ``before``, which is empty where a prompt begins."""
        ends = [match.end() for match in self._control_text.finditer(before)] if self._control_text else []
        begins = not before or (self._marks == "section" and ends[-1:] == [len(before)])
        if not begins or not self._marks:
            return self.encode([text])[0]
        return tuple(self._beginning.encode(text, add_special_tokens=False).ids)

    def encode(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Token ids of each text, none of them a control token."""
        clean = [as_utf8(text) for text in texts]
        encoded = self._plain.encode_batch(clean, add_special_tokens=False)
        return [
            tuple(e.ids) if self.control.keys().isdisjoint(e.ids) else self._encode_cut(text)
            for text, e in zip(clean, encoded, strict=True)
        ]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The characters (start, stop) of ``text`` that each of its tokens stands for, in the order of ``encode``."""
        clean = as_utf8(text)
        whole = self._plain.encode(clean, add_special_tokens=False)
        if self.control.keys().isdisjoint(whole.ids):
            return list(whole.offsets)
        found, place = [], 0
        for piece, encoded in self._cut(clean):
            kept = zip(encoded.ids, encoded.offsets, strict=True)
            found += [(place + a, place + b) for i, (a, b) in kept if i not in self.control]
            place += len(piece)
        return found

    def _encode_cut(self, text: str) -> tuple[int, ...]:
        return tuple(i for _, encoded in self._cut(text) for i in encoded.ids if i not in self.control)

    def _cut(self, text: str) -> Iterator[tuple[str, Any]]:
        """The text in pieces none of which holds a control string, each encoded."""
        assert self._control_text is not None
        pieces: list[str] = []
        end = 0
        for match in self._control_text.finditer(text):
            pieces += [text[end : match.start() + 1], text[match.start() + 1 : match.end()]]
            end = match.end()
        pieces.append(text[end:])
        for piece in pieces:
            yield piece, self._plain.encode(piece, add_special_tokens=False)
