"""Prompts through the model's own chat template, in which passages and queries remain plain text.

The template is rendered with marks in place of the texts. What is between the marks is trusted and encoded with control
tokens; the texts are not. A passage therefore cannot end the user's turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2.exceptions import TemplateError

from headrank.generative.template import render, unusable
from headrank.prompts.text_encoder import TextEncoder

Turn = tuple[str, str]
Ids = tuple[int, ...]
# Private-use characters, which no template contains; the texts are inserted after the template is rendered.
_MARK = re.compile("\ue000(\\d+)\ue001")


def mark(number: int) -> str:
    """The mark that holds the place of text ``number`` within a turn."""
    return f"\ue000{number}\ue001"


class Chat:
    """Encodes conversations for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._encoder = TextEncoder(tokenizer)
        self._shapes: dict[tuple[tuple[Turn, ...], str], list[Ids | int]] = {}
        self._texts: dict[str, Ids] = {}

    def text(self, text: str) -> Ids:
        """Token ids of an untrusted text."""
        if text not in self._texts:
            self._texts[text] = self._encoder.encode([text])[0]
        return self._texts[text]

    def prompt(self, turns: Sequence[Turn], texts: Sequence[Ids], prefill: str = "") -> Ids:
        """The conversation up to the assistant's answer, of which ``prefill`` is already given.

        turns: (role, content) with a ``mark`` for each of ``texts``.
        """
        key = (tuple(turns), prefill)
        if key not in self._shapes:
            self._shapes[key] = self._shape(turns, prefill)
        ids: list[int] = []
        for piece in self._shapes[key]:
            ids += texts[piece] if isinstance(piece, int) else piece
        return tuple(ids)

    def word(self, text: str) -> int:
        """The first token of an answer."""
        return self.text(text)[0]

    def _shape(self, turns: Sequence[Turn], prefill: str) -> list[Ids | int]:
        rendered = self._render(turns)
        # The templates of thinking models already end with an empty thought.
        if not (prefill and rendered.rstrip().endswith(prefill.rstrip())):
            rendered += prefill
        wanted = {text for _, content in turns for text in _MARK.findall(content)}
        if wanted - set(_MARK.findall(rendered)):
            raise unusable(self._tokenizer, "leaves out what it is given")
        pieces: list[Ids | int] = []
        end = 0
        for match in _MARK.finditer(rendered):
            pieces += [self._trusted(rendered[end : match.start()]), int(match[1])]
            end = match.end()
        return [*pieces, self._trusted(rendered[end:])]

    def _render(self, turns: Sequence[Turn]) -> str:
        if not getattr(self._tokenizer, "chat_template", None):
            return "".join(f"{role}: {content}\n" for role, content in turns) + "assistant: "
        try:
            try:
                return self._apply(turns)
            except TemplateError:
                if len(turns) < 2 or turns[0][0] != "system":
                    raise
                # Some templates have no system turn.
                (_, system), (role, content), *rest = turns
                return self._apply([(role, f"{system}\n\n{content}"), *rest])
        except TemplateError as error:
            raise unusable(self._tokenizer, f"refuses the conversation: {error}") from error

    def _apply(self, turns: Sequence[Turn]) -> str:
        return render(self._tokenizer, [{"role": role, "content": content} for role, content in turns])

    def _trusted(self, text: str) -> Ids:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()
