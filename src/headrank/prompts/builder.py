"""Prompts built from segments, so that every span is exact by construction.

Each piece of the prompt (frame, label, passage, instruction, query) is tokenised on its own and the ids are
joined; a span is then a pair of token counts and needs no search in the text. Passages and queries go through
an encoder that does not know the control tokens: ``<|im_end|>`` in a passage is just text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headrank.errors import InputError, UsageError
from headrank.prompts.passage_length import kept, truncated
from headrank.prompts.passage_read import PassageRead, passage_read
from headrank.prompts.stems import stems
from headrank.prompts.templates import Template
from headrank.prompts.text_encoder import TextEncoder, as_utf8
from headrank.settings import EncodingSettings, PromptSettings

if TYPE_CHECKING:
    from headrank.data.collections import Document

NULL_QUERY = "N/A"
Span = tuple[int, int]


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
    "gemma": Family("<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", bos=True),
    "plain": Family("", "\n", bos=False),
}


# Control strings of the frames; a tokenizer without them would spell them out as text, silently.
_FRAME_TOKEN = re.compile(r"<[^<>\s]+>")


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
            "last": (len(self.ids) - 1, len(self.ids)),
        }
        if span not in spans:
            raise UsageError(f"query span {span!r} is unknown; known: {', '.join(spans)}")
        return spans[span]


@dataclass(frozen=True)
class Prompt:
    """One query's prompt: a document prefix and the branches that read it.

    ``text`` and ``labelled`` hold one (start, stop) per document within ``prefix``: the passage alone, and the
    passage with its "[i]" label. An empty passage has an empty text span. ``blocks``: the parts of the prefix that are
    read independently of each other, one per document; none if the prefix is one text. ``kept``: the prefix tokens that
    the branches see, all of them if None.
    """

    prefix: tuple[int, ...]
    text: tuple[tuple[int, int], ...]
    labelled: tuple[tuple[int, int], ...]
    query: Branch
    null: Branch
    blocks: tuple[tuple[int, int], ...] = ()
    kept: tuple[int, ...] | None = None

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
        raise UsageError(f"document span {span!r} is unknown; known: text, text+next, labelled")


class PromptBuilder:
    """Builds prompts of one tokenizer and one template (R1 of docs/methods.md).

    Layout: frame, header, then for each document i a label and its title and text, then the instruction, "Query:", the
    query, and the closing of the chat turn. The documents and everything before them form the prefix that the query's
    branch and the null query's branch share. ``template`` replaces the settings' instruction, titles and truncation; by
    default it is the project's own.
    """

    def __init__(
        self,
        tokenizer: Any,
        settings: PromptSettings | None = None,
        template: Template | None = None,
        encoding: EncodingSettings | None = None,
    ) -> None:
        self.settings = settings or PromptSettings()
        self.encoding = encoding or EncodingSettings()
        self.template = template or Template(
            instruction=self.settings.instruction,
            titles=self.settings.use_title,
            words=self.settings.truncate_words,
            tokens=self.settings.truncate_tokens,
        )
        if self._independent:
            # Each passage has the label that it would have as the only one.
            self.template = replace(self.template, label=self.template.label.format(1))
        if self.encoding.keep < 1:
            raise UsageError(f"encoding.keep: {self.encoding.keep} is below 1")
        if self.settings.family not in FAMILIES:
            raise UsageError(
                f"prompt.family: unknown family {self.settings.family!r}; known: {', '.join(sorted(FAMILIES))}"
            )
        family = FAMILIES[self.settings.family]
        self._encoder = TextEncoder(tokenizer)
        known = set(self._encoder.control.values())
        absent = [t for t in _FRAME_TOKEN.findall(family.opening + family.closing) if t not in known]
        if absent:
            raise UsageError(
                f"prompt.family: {self.settings.family!r} needs {absent[0]!r}, which the tokenizer does not have"
            )
        opening = list(self._encoder.frame(family.opening, begins=True))
        if family.bos:
            if tokenizer.bos_token_id is None:
                raise UsageError(
                    f"prompt.family: {self.settings.family!r} needs a BOS token, the tokenizer has none"
                )
            opening.insert(0, tokenizer.bos_token_id)
        w = self.template
        self._opening = (*opening, *self._encoder.after(family.opening, w.header))
        fixed = self._encoder.encode([w.before, w.after, w.closing, w.instruction, w.query_label])
        self._before, self._after, self._end, self._instruction, self._query_label = fixed
        self._closing = self._encoder.frame(family.closing)
        self._null = self._branch(self._encoder.encode([f" {NULL_QUERY}"])[0])
        self._labels: list[tuple[int, ...]] = []
        self._passages: dict[tuple[str, str], tuple[int, ...]] = {}
        self._words: dict[tuple[str, str], tuple[str, ...]] = {}

    def build(self, query: str, documents: Sequence[Document]) -> Prompt:
        """The prompt of one query and its candidates in the order given.

        Raises InputError for a query without text. Passages may be empty.
        """
        query_ids = self._encoder.encode([f" {query.strip()}"])[0] if query.strip() else ()
        if not query_ids:
            raise InputError(f"query {query!r} has no text")
        ids = list(self._opening)
        text: list[Span] = []
        labelled: list[Span] = []
        blocks: list[Span] = []
        labels = self._label_ids(len(documents))
        for label, passage in zip(labels, self._passage_ids(documents), strict=True):
            # The line break belongs to no document: a label begins at its bracket.
            outer = len(ids)
            ids += self._before
            begin = len(ids)
            ids += label
            start = len(ids)
            ids += passage
            text.append((start, len(ids)))
            labelled.append((begin, len(ids)))
            ids += self._after
            blocks.append((outer, len(ids)))
        if self._independent:
            kept = self._kept(text, labelled)
        else:
            ids += self._end
            blocks, kept = [], None
        return Prompt(
            tuple(ids), tuple(text), tuple(labelled), self._branch(query_ids), self._null, tuple(blocks), kept
        )

    @property
    def _independent(self) -> bool:
        return self.encoding.documents == "independent"

    def _kept(self, text: Sequence[Span], labelled: Sequence[Span]) -> tuple[int, ...] | None:
        """The tokens that the query sees: those before the passages, and of each passage what compression leaves."""
        keep = self.encoding.keep
        if self.encoding.compression == "none":
            return None
        kept = list(range(labelled[0][0] - len(self._before)))
        for start, stop in text:
            if self.encoding.compression == "last":
                kept += range(max(start, stop - keep), stop)
            else:
                # The last token of each segment has seen all of it; a shorter segment at the end keeps its last token
                # too.
                kept += dict.fromkeys(
                    [*range(start + keep - 1, stop, keep), *([stop - 1] if stop > start else [])]
                )
        return tuple(kept)

    def passage_words(self, document: Document) -> tuple[str, ...]:
        """The stem of the word that each token of a passage belongs to ("" if none), in the prompt's order."""
        key = self._passage_key(document)
        if key not in self._words:
            text, most = self._render(*key)
            words = stems(text)
            # A token's first non-blank character decides: many tokenizers add the blank before a word to its token.
            spans = self._encoder.spans(text)[:most]
            starts = [next((i for i in range(*span) if not text[i].isspace()), -1) for span in spans]
            self._words[key] = tuple(words.get(start, "") for start in starts)
        return self._words[key]

    def passage_read(self, document: Document) -> PassageRead:
        """What the prompt holds of a passage, and what of it is cut off."""
        title, text = self._passage_key(document)
        rendered, most = self._render(title, text)
        cut = "" if self.template.tokens is not None else truncated(text.strip(), self.template.words)
        return passage_read(as_utf8(rendered), self._encoder.spans(rendered), most, as_utf8(cut))

    def query_words(self, query: str) -> frozenset[str]:
        """The stems of a query's words."""
        return frozenset(stems(query).values())

    def _branch(self, query_ids: tuple[int, ...]) -> Branch:
        # After passages that do not see each other, the line break before the instruction belongs to the branch.
        lead = (*(self._end if self._independent else ()), *self._instruction, *self._query_label)
        return Branch((*lead, *query_ids, *self._closing), (len(lead), len(lead) + len(query_ids)))

    def _label_ids(self, count: int) -> list[tuple[int, ...]]:
        if count > len(self._labels):
            self._labels = self._encoder.encode([self.template.label.format(i) for i in range(1, count + 1)])
        return self._labels[:count]

    def _passage_ids(self, documents: Sequence[Document]) -> list[tuple[int, ...]]:
        keys = [self._passage_key(d) for d in documents]
        fresh = [key for key in dict.fromkeys(keys) if key not in self._passages]
        # A passage is a candidate of several queries and lists: it is tokenised once.
        rendered = [self._render(*key) for key in fresh]
        encoded = self._encoder.encode([text for text, _ in rendered])
        self._passages.update(
            {key: ids[:most] for key, ids, (_, most) in zip(fresh, encoded, rendered, strict=True)}
        )
        return [self._passages[key] for key in keys]

    def _passage_key(self, document: Document) -> tuple[str, str]:
        return (document.title if self.template.titles else "", document.text)

    def _render(self, title: str, text: str) -> tuple[str, int | None]:
        """A passage as it is tokenised, and how many of its tokens are kept (None: all)."""
        part, most = kept(text.strip(), self.template.words, self.template.tokens)
        body = "\n".join(part for part in (title.strip(), part) if part)
        return f" {body}" if body else "", most
