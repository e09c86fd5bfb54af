"""Synthetic graded collections in BEIR layout: corpus.jsonl, queries.jsonl and qrels.trec.

A query names some concepts of one topic and perhaps a general word. A document is graded by how many of the query's
concepts it carries, in whatever words (``grade_of``); a single one earns nothing. A purely lexical match therefore
misses documents that use synonyms, and prefers documents that hold one of the query's words and its general ones.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headrank.data.atomic import write_text
from headrank.errors import UsageError
from headrank.planted.language import Language, make_language
from headrank.planted.specs import CollectionSpec
from headrank.specs import read_spec

DOCUMENT_KINDS: dict[str, dict[str, Any]] = {
    "training": {"queries": 211, "background": 1500},
    "in-domain": {},
    "other-topics": {"held_out_topics": True},
    # Relevant documents use synonyms; a dozen stuffed ones come before them in a lexical ranking.
    "long-middle": {
        "words": [26, 34],
        "exact": 0.35,
        "stuffed": 11,
        "distractors": 6,
        "general_words": [1, 1],
    },
}


@dataclass(frozen=True)
class _Query:
    topic: int
    concepts: dict[int, str]
    general: tuple[str, ...]
    text: str


def generate(spec: Mapping[str, Any], directory: str | os.PathLike[str], where: str = "synthetic") -> None:
    """Write the collection of a spec into ``directory``. Equal specs give equal bytes.

    where: the spec's key in the configuration, for messages. Raises InputError for an unknown kind or key.
    """
    kind = spec.get("kind")
    if kind not in DOCUMENT_KINDS:
        raise UsageError(f"{where}.kind: unknown kind {kind!r}; known kinds: {', '.join(DOCUMENT_KINDS)}")
    checked = _check(read_spec(CollectionSpec, {**DOCUMENT_KINDS[str(kind)], **spec}, where), where)
    documents, queries, qrels = _Writer(checked, make_language(checked.language)).write()
    folder = Path(directory)
    write_text(folder / "corpus.jsonl", "".join(json.dumps(d, ensure_ascii=False) + "\n" for d in documents))
    write_text(folder / "queries.jsonl", "".join(json.dumps(q, ensure_ascii=False) + "\n" for q in queries))
    write_text(folder / "qrels.trec", "".join(f"{qid} 0 {docid} {grade}\n" for qid, docid, grade in qrels))


def _check(spec: CollectionSpec, where: str) -> CollectionSpec:
    if spec.queries < 1:
        raise UsageError(f"{where}.queries: must be at least 1, got {spec.queries}")
    for key in ("query_concepts", "general_words", "words", "copies"):
        low, high = getattr(spec, key)
        if not 0 <= low <= high:
            raise UsageError(f"{where}.{key}: expected [least, most], got [{low}, {high}]")
    if not 2 <= spec.query_concepts[0] <= spec.query_concepts[1] <= spec.language.concepts:
        raise UsageError(f"{where}.query_concepts: must lie between 2 and language.concepts")
    return spec


def grade_of(shared: int, wanted: int) -> int:
    """Grade of a document that carries ``shared`` of a query's ``wanted`` concepts: 0-3.

    3 for all of them; otherwise one less for each that is missing, but at most ``shared`` - 1 and at least 0.
    """
    return 3 if shared == wanted else max(0, min(3 - (wanted - shared), shared - 1))


class _Writer:
    """Draws one collection; all randomness comes from the spec's seed, in a fixed order."""

    def __init__(self, spec: CollectionSpec, language: Language) -> None:
        self.spec = spec
        self.language = language
        self.rng = np.random.default_rng([spec.seed, language.spec.seed])
        self.texts: list[tuple[str, str]] = []
        self.carried: list[frozenset[tuple[int, int]]] = []  # (topic, concept) of each document
        self.made_for: dict[int, list[int]] = defaultdict(list)  # query -> documents

    def write(self) -> tuple[list[dict[str, str]], list[dict[str, str]], list[tuple[str, str, int]]]:
        spec, rng = self.spec, self.rng
        queries = [self._query() for _ in range(spec.queries)]
        for number, query in enumerate(queries):
            first = len(self.texts)
            for missing, count in enumerate(spec.graded):
                for _ in range(count):
                    self._graded(query, missing)
            for _ in range(spec.distractors):
                self._repeating(query, with_general=False)
            for _ in range(spec.stuffed):
                self._repeating(query, with_general=True)
            self.made_for[number] = list(range(first, len(self.texts)))
        for _ in range(spec.background):
            self._fill(range(self.language.spec.topics), [], set())
        # Identifiers say nothing about how a document was made.
        order = rng.permutation(len(self.texts))
        docids = {int(index): f"d{rank:05d}" for rank, index in enumerate(order)}
        documents = [
            {"_id": docids[int(i)], "title": self.texts[i][0], "text": self.texts[i][1]} for i in order
        ]
        rows = []
        for number, query in enumerate(queries):
            for index, grade in sorted(self._judge(number, query).items(), key=lambda item: docids[item[0]]):
                rows.append((f"q{number + 1:03d}", docids[index], grade))
        return documents, [{"_id": f"q{n + 1:03d}", "text": q.text} for n, q in enumerate(queries)], rows

    def _query(self) -> _Query:
        spec, language, rng = self.spec, self.language, self.rng
        topic = int(rng.choice(language.topics(spec.held_out_topics)))
        count = int(rng.integers(spec.query_concepts[0], spec.query_concepts[1] + 1))
        chosen = rng.choice(language.spec.concepts, count, replace=False, p=language.concept_weights)
        concepts = {int(c): self._word(topic, int(c)) for c in chosen}
        count = int(rng.integers(spec.general_words[0], spec.general_words[1] + 1))
        general = tuple(
            language.general[i]
            for i in rng.choice(len(language.general), count, replace=False, p=language.general_weights)
        )
        words = [*concepts.values(), *general]
        return _Query(topic, concepts, general, " ".join(words[i] for i in rng.permutation(len(words))))

    def _graded(self, query: _Query, missing: int) -> None:
        kept = len(query.concepts) - missing
        if kept < 2:
            return
        mentions = []
        for concept in map(int, self.rng.permutation(list(query.concepts))[:kept]):
            word = query.concepts[concept]
            if self.rng.random() >= self.spec.exact:
                word = self._word(query.topic, concept, other_than=word)
            mentions.append((concept, word))
        self._about(query, mentions)

    def _repeating(self, query: _Query, with_general: bool) -> None:
        # Most of these documents repeat the query's most frequent concept (rank order is frequency order).
        concepts = sorted(query.concepts)
        concept = concepts[0] if self.rng.random() < 0.6 else int(self.rng.choice(concepts))
        copies = int(self.rng.integers(self.spec.copies[0], self.spec.copies[1] + 1))
        mentions = [(concept, query.concepts[concept])] * copies
        self._about(query, mentions, query.general if with_general else ())

    def _word(self, topic: int, concept: int, other_than: str | None = None) -> str:
        synonyms, weights = self.language.concepts[topic][concept], self.language.synonym_weights
        if other_than is not None:
            weights = weights * [word != other_than for word in synonyms]
        return synonyms[self.rng.choice(len(synonyms), p=weights / weights.sum())]

    def _about(self, query: _Query, mentions: Sequence[tuple[int, str]], general: Sequence[str] = ()) -> None:
        """Write a document on the query's topic: (concept, word) mentions, general words, no other query concept."""
        phrases = [self._phrase(query.topic, concept, word) for concept, word in mentions]
        carried = {(query.topic, concept) for concept, _ in mentions}
        self._fill([query.topic], [*phrases, *([word] for word in general)], carried, avoid=query.concepts)

    def _fill(
        self,
        topics: Sequence[int],
        phrases: list[list[str]],
        carried: set[tuple[int, int]],
        avoid: Collection[int] = (),
    ) -> None:
        """Write a document that holds the phrases, filled up with general words and concepts of the topics."""
        spec, language, rng = self.spec, self.language, self.rng
        target = int(rng.integers(spec.words[0], spec.words[1] + 1)) + spec.title_words
        while sum(map(len, phrases)) < target:
            if rng.random() < 0.5:
                index = rng.choice(len(language.general), p=language.general_weights)
                phrases.append([language.general[index]])
                continue
            topic = topics[int(rng.integers(len(topics)))]
            concept = int(rng.choice(language.spec.concepts, p=language.concept_weights))
            if concept not in avoid:
                carried.add((topic, concept))
                phrases.append(self._phrase(topic, concept, self._word(topic, concept)))
        words = [word for i in rng.permutation(len(phrases)) for word in phrases[i]]
        title, text = words[: spec.title_words], words[spec.title_words :]
        self.texts.append((" ".join(title), " ".join(text) + "."))
        self.carried.append(frozenset(carried))

    def _phrase(self, topic: int, concept: int, word: str) -> list[str]:
        modifiers = self.language.company[topic][concept]
        before, after = self.rng.random(2) < self.spec.company
        phrase = [word]
        if before:
            phrase.insert(0, modifiers[self.rng.integers(len(modifiers))])
        if after:
            phrase.append(modifiers[self.rng.integers(len(modifiers))])
        return phrase

    def _judge(self, number: int, query: _Query) -> dict[int, int]:
        """Grades of the documents made for a query and of all others that carry at least two of its concepts."""
        grades = dict.fromkeys(self.made_for[number], 0)
        wanted = frozenset((query.topic, concept) for concept in query.concepts)
        for index, carried in enumerate(self.carried):
            shared = len(wanted & carried)
            if shared >= 2:
                grades[index] = grade_of(shared, len(wanted))
        return grades
