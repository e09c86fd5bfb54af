"""Prompts through the model's own chat template, in which passages and queries remain plain text.

The template is rendered with marks in place of the texts. What is between the marks is trusted and encoded with control
tokens; the texts are not. A passage therefore cannot end the user's turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2.exceptions import TemplateError

from headrank.errors import shown
from headrank.generative.answers import Ids, part
from headrank.generative.template import render, unusable
from headrank.prompts.text_encoder import TextEncoder

Turn = tuple[str, str]
# Private-use characters, which no template contains; the texts are inserted after the template is rendered.
_MARK = re.compile("\ue000(\\d+)\ue001")
# What begins a thought.
_OPENED = re.compile("<(think(?:ing)?)>")
# The number of the mark that holds the answer's place.
_ANSWER = 10**9


def mark(number: int) -> str:
    """The mark that holds the place of text ``number`` within a turn."""
    return f"\ue000{number}\ue001"


class Chat:
    """Encodes conversations for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._encoder = TextEncoder(tokenizer)
        self._shapes: dict[tuple[tuple[Turn, ...], str, str], list[str | int]] = {}
        self._frames: dict[tuple[str, bool], Ids] = {}
        self._choices: dict[tuple[str, tuple[str, ...]], tuple[Ids, tuple[Ids, ...]]] = {}
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
        *pieces, tail = self._shape(turns, prefill, "")
        return (*self._filled(pieces, texts), *self._frame(tail, not pieces))

    def choices(
        self, turns: Sequence[Turn], texts: Sequence[Ids], answers: Sequence[str], prefill: str = ""
    ) -> tuple[Ids, tuple[Ids, ...]]:
        """A ``prompt`` that ends where the given answers part, and the tokens that tell each from the others.

        The prompt may end before ``prefill`` does, if the first token of an answer is a part of both.
        """
        *pieces, tail = self._shape(turns, prefill, answers[0])
        key = (tail, tuple(answers))
        if key not in self._choices:
            wholes = [self._continued(tail, answer, not pieces) for answer in answers]
            start, words = part(wholes, self._frame(tail, not pieces), answers)
            self._choices[key] = (wholes[0][:start], words)
        end, words = self._choices[key]
        return (*self._filled(pieces, texts), *end), words

    def continued(self, turns: Sequence[Turn], texts: Sequence[Ids], answer: str) -> tuple[Ids, Ids]:
        """A ``prompt``, and the tokens of an answer to it, which may be an untrusted text."""
        *pieces, tail = self._shape(turns, "", answer)
        whole = self._continued(tail, answer, not pieces)
        start, _ = part([whole], self._frame(tail, not pieces), [answer])
        return (*self._filled(pieces, texts), *whole[:start]), whole[start:]

    def _continued(self, tail: str, answer: str, begins: bool) -> Ids:
        """Ids of a prompt's last piece and an answer in one."""
        before, whole = self._frame(tail, begins), self._encoder.frame(tail + answer, begins)
        if self._controls(whole) == self._controls(before):
            return whole
        # The answer spells out a control token, which must remain text.
        return (*before, *self.text(answer))

    def _controls(self, ids: Ids) -> list[int]:
        return [i for i in ids if i in self._encoder.control]

    def _filled(self, pieces: Sequence[str | int], texts: Sequence[Ids]) -> Ids:
        ids: list[int] = []
        for number, piece in enumerate(pieces):
            ids += texts[piece] if isinstance(piece, int) else self._frame(piece, number == 0)
        return tuple(ids)

    def _frame(self, piece: str | int, begins: bool) -> Ids:
        key = (str(piece), begins)
        if key not in self._frames:
            self._frames[key] = self._encoder.frame(*key)
        return self._frames[key]

    def _shape(self, turns: Sequence[Turn], prefill: str, answer: str) -> list[Any]:
        """The conversation in pieces: trusted text, and the numbers of the texts between; the last is trusted text.

        answer: what comes after it, if known, which decides whether the template's blank before answers is put there.
        """
        next_text = prefill or answer
        blank = "" if next_text[:1].isspace() or not next_text else " "
        key = (tuple(turns), prefill, blank)
        if key not in self._shapes:
            rendered = self._thought_ended(self._render(turns))
            # The templates of thinking models already end with an empty thought.
            if not (prefill and rendered.rstrip().endswith(prefill.rstrip())):
                rendered += (self._lead(turns, rendered) if blank else "") + prefill
            wanted = {text for _, content in turns for text in _MARK.findall(content)}
            if wanted - set(_MARK.findall(rendered)):
                raise unusable(self._tokenizer, "leaves out what it is given")
            pieces: list[str | int] = []
            end = 0
            for match in _MARK.finditer(rendered):
                pieces += [rendered[end : match.start()], int(match[1])]
                end = match.end()
            self._shapes[key] = [*pieces, rendered[end:]]
        return self._shapes[key]

    def _thought_ended(self, rendered: str) -> str:
        """End the thought that a template begins, of a model that always thinks: the answer itself is asked for."""
        tail = rendered[rendered.rfind("\ue001") + 1 :]
        opened = list(_OPENED.finditer(tail))
        if not opened or f"</{opened[-1][1]}>" in tail[opened[-1].end() :]:
            return rendered
        if tail[opened[-1].end() :].strip():
            raise unusable(
                self._tokenizer, f"begins a thought of its own, {shown(tail[opened[-1].start() :])}"
            )
        return f"{rendered.rstrip()}\n\n</{opened[-1][1]}>\n\n"

    def _lead(self, turns: Sequence[Turn], rendered: str) -> str:
        """What the template puts between the prompt and an answer: a blank in Mistral's, in most nothing."""
        if not getattr(self._tokenizer, "chat_template", None):
            return ""
        try:
            whole = self._apply([*turns, ("assistant", mark(_ANSWER))], asks=False)
        except TemplateError:
            return ""
        lead, found, _ = whole.removeprefix(rendered).partition(mark(_ANSWER))
        return lead if found and whole.startswith(rendered) and lead.isspace() else ""

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

    def _apply(self, turns: Sequence[Turn], asks: bool = True) -> str:
        """The template's text; ``asks``: with the beginning of the assistant's turn at its end."""
        return render(self._tokenizer, [{"role": role, "content": content} for role, content in turns], asks)
