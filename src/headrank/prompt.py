"""Prompts built from segments, so that every span is exact by construction.

Each piece of the prompt (frame, label, passage, instruction, query) is tokenised on its own and the ids are
joined; a span is then a pair of token counts and needs no search in the text. Passages and queries go through
an encoder that does not know the control tokens: ``<|im_end|>`` in a passage is just text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrank.errors import InputError
from headrank.settings import PromptSettings
from headrank.wording import Wording

if TYPE_CHECKING:
    from headrank.collections import Document

NULL_QUERY = "N/A"


@dataclass(frozen=True)
class Family:
    """A chat frame: the control strings around one user turn, and whether the model expects a BOS token."""

    opening: str
    closing: str
    bos: bool


CHATML = Family("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", bos=False)
# One user turn and nothing else: no system turn, even where the model's own template would put one.
FAMILIES = {
    "qwen3": CHATML,
    "qwen2.5": CHATML,
    "llama3": Family(
        "<|start_header_id|>user<|end_header_id|>",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
        bos=True,
    ),
    "mistral": Family("[INST]", "[/INST]", bos=True),
    "granite": Family(
        "<|start_of_role|>user<|end_of_role|>",
        "<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
        bos=False,
    ),
    "plain": Family("", "\n", bos=False),
}


# Control strings of the frames; a tokenizer without them would spell them out as text, silently.
_FRAME_TOKEN = re.compile(r"<\|[^|]+\|>")


@dataclass(frozen=True)
class Branch:
    """What follows the documents: instruction, query and the closing of the chat turn.

    ``ids`` are the branch's tokens; ``query`` is the query text's (start, stop) within them. The instruction
    begins at 0 and the closing ends at ``len(ids)``.
    """

    ids: tuple[int, ...]
    query: tuple[int, int]

    def rows(self, span: str) -> tuple[int, int]:
        """The (start, stop) of the query-side rows that a span name stands for."""
        start, stop = self.query
        spans = {
            "query": (start, stop),
            "instruction+query": (0, stop),
            # CoRe's range includes the token after the query.
            "instruction+query+next": (0, min(stop + 1, len(self.ids))),
            "instruction+query+suffix": (0, len(self.ids)),
        }
        if span not in spans:
            raise InputError(f"query span {span!r} is unknown; known: {', '.join(spans)}")
        return spans[span]


@dataclass(frozen=True)
class Prompt:
    """One query's prompt: a document prefix and the branches that read it.

    ``text`` and ``labelled`` hold one (start, stop) per document within ``prefix``: the passage alone, and the
    passage with its "[i]" label. An empty passage has an empty text span.
    """

    prefix: tuple[int, ...]
    text: tuple[tuple[int, int], ...]
    labelled: tuple[tuple[int, int], ...]
    query: Branch
    null: Branch

    @property
    def n_documents(self) -> int:
        return len(self.text)

    def documents(self, span: str) -> tuple[tuple[int, int], ...]:
        """The documents' spans under a span name: ``text``, ``labelled`` or ``text+next`` (CoRe's overrun)."""
        if span == "text":
            return self.text
        if span == "labelled":
            return self.labelled
        if span == "text+next":
            return tuple((start, min(stop + 1, len(self.prefix))) for start, stop in self.text)
        raise InputError(f"document span {span!r} is unknown; known: text, text+next, labelled")


class TextEncoder:
    """Encodes untrusted text: no input can produce a control token of the tokenizer.

    The tokenizer's added tokens (special or not: ``<think>`` is added but not special) are taken out of a copy
    of the fast tokenizer. Should the plain vocabulary itself hold such a string, the string is cut in two first.
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
        self._plain = Tokenizer.from_str(json.dumps(state))
        contents = sorted(self.control.values(), key=len, reverse=True)
        self._control_text = re.compile("|".join(map(re.escape, contents))) if contents else None

    def encode(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Token ids of each text, none of them a control token."""
        # A lone surrogate has no UTF-8 form; the tokenizer would raise on it.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encoded = self._plain.encode_batch(clean, add_special_tokens=False)
        return [
            tuple(e.ids) if self.control.keys().isdisjoint(e.ids) else self._encode_cut(text)
            for text, e in zip(clean, encoded, strict=True)
        ]

    def _encode_cut(self, text: str) -> tuple[int, ...]:
        assert self._control_text is not None
        pieces: list[str] = []
        end = 0
        for match in self._control_text.finditer(text):
            pieces += [text[end : match.start() + 1], text[match.start() + 1 : match.end()]]
            end = match.end()
        pieces.append(text[end:])
        ids: list[int] = []
        for piece in pieces:
            ids += [
                i for i in self._plain.encode(piece, add_special_tokens=False).ids if i not in self.control
            ]
        return tuple(ids)


def truncate(text: str, words: int) -> str:
    """The first ``words`` blank-separated words of a text; shorter texts come back as they are."""
    parts = text.split(maxsplit=words)
    return text if len(parts) <= words else " ".join(parts[:words])


class PromptBuilder:
    """Builds prompts of one tokenizer and one wording (R1 of docs/methods.md).

    Layout: frame, header, then for each document i a label and its title and text, then the instruction, "Query:", the
    query, and the closing of the chat turn. The documents and everything before them form the prefix that the query's
    branch and the null query's branch share. ``wording`` takes the place of the settings' instruction, titles and
    truncation; by default it is the project's own.
    """

    def __init__(
        self, tokenizer: Any, settings: PromptSettings | None = None, wording: Wording | None = None
    ) -> None:
        self.settings = settings or PromptSettings()
        self.wording = wording or Wording(
            instruction=self.settings.instruction,
            titles=self.settings.use_title,
            words=self.settings.truncate_words,
        )
        if self.settings.family not in FAMILIES:
            raise InputError(
                f"prompt.family: unknown family {self.settings.family!r}; known: {', '.join(sorted(FAMILIES))}"
            )
        family = FAMILIES[self.settings.family]
        self._encoder = TextEncoder(tokenizer)
        known = set(self._encoder.control.values())
        absent = [t for t in _FRAME_TOKEN.findall(family.opening + family.closing) if t not in known]
        if absent:
            raise InputError(
                f"prompt.family: {self.settings.family!r} needs {absent[0]!r}, which the tokenizer does not have"
            )
        opening = list(tokenizer(family.opening, add_special_tokens=False)["input_ids"])
        if family.bos:
            if tokenizer.bos_token_id is None:
                raise InputError(
                    f"prompt.family: {self.settings.family!r} needs a BOS token, the tokenizer has none"
                )
            opening.insert(0, tokenizer.bos_token_id)
        w = self.wording
        fixed = self._encoder.encode([w.header, w.before, w.after, w.closing, w.instruction, w.query_label])
        self._opening = (*opening, *fixed[0])
        self._before, self._after, self._end, self._instruction, self._query_label = fixed[1:]
        self._closing = tuple(tokenizer(family.closing, add_special_tokens=False)["input_ids"])
        self._null = self._branch(self._encoder.encode([f" {NULL_QUERY}"])[0])
        self._labels: list[tuple[int, ...]] = []
        self._passages: dict[tuple[str, str], tuple[int, ...]] = {}

    def build(self, query: str, documents: Sequence[Document]) -> Prompt:
        """The prompt of one query and its candidates in the order given.

        Raises InputError for a query without text. Passages may be empty.
        """
        query_ids = self._encoder.encode([f" {query.strip()}"])[0] if query.strip() else ()
        if not query_ids:
            raise InputError(f"query {query!r} has no text")
        ids = list(self._opening)
        text, labelled = [], []
        labels = self._label_ids(len(documents))
        for label, passage in zip(labels, self._passage_ids(documents), strict=True):
            # The line break belongs to no document: a label begins at its bracket.
            ids += self._before
            begin = len(ids)
            ids += label
            start = len(ids)
            ids += passage
            text.append((start, len(ids)))
            labelled.append((begin, len(ids)))
            ids += self._after
        ids += self._end
        return Prompt(tuple(ids), tuple(text), tuple(labelled), self._branch(query_ids), self._null)

    def _branch(self, query_ids: tuple[int, ...]) -> Branch:
        start = len(self._instruction) + len(self._query_label)
        ids = (*self._instruction, *self._query_label, *query_ids, *self._closing)
        return Branch(ids, (start, start + len(query_ids)))

    def _label_ids(self, count: int) -> list[tuple[int, ...]]:
        if count > len(self._labels):
            self._labels = self._encoder.encode([self.wording.label.format(i) for i in range(1, count + 1)])
        return self._labels[:count]

    def _passage_ids(self, documents: Sequence[Document]) -> list[tuple[int, ...]]:
        keys = [(d.title if self.wording.titles else "", d.text) for d in documents]
        fresh = [key for key in dict.fromkeys(keys) if key not in self._passages]
        # A passage is a candidate of several queries and lists: it is tokenised once.
        self._passages.update(
            zip(fresh, self._encoder.encode([self._render(*k) for k in fresh]), strict=True)
        )
        return [self._passages[key] for key in keys]

    def _render(self, title: str, text: str) -> str:
        body = "\n".join(part for part in (title.strip(), truncate(text.strip(), self.wording.words)) if part)
        return f" {body}" if body else ""
