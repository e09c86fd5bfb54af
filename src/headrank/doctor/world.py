"""The words of the self-test: synthetic questions and passages, and a backbone with heads planted for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrank.data.collections import Document, LocalCollection
from headrank.heads.head_set import HeadSet
from headrank.planted.mini import WORD, build_mini_backbone
from headrank.planted.synthetic import generate
from headrank.rerankers.candidates import Candidates

# Answers use the question's own words, so that there is no doubt which passage comes first.
_COLLECTION: dict[str, Any] = {
    **{"kind": "in-domain", "seed": 12, "queries": 12, "exact": 1.0},
    **{"stuffed": 0, "distractors": 0, "background": 300},
}
# Heads 1-0, 1-1, 2-2 and 2-3 match words; all others do not.
_BACKBONE: dict[str, Any] = {
    **{"seed": 1, "layers": 4, "hidden": 96, "heads": 4, "kv_heads": 2},
    "planted": [[1, 0, 0.8], [1, 1, 0.6], [2, 2, 0.9], [2, 3, 0.7]],
    "semantic_share": [0.5, 0.6],
    "embedding": {"semantic": 48, "identity": 40},
}
_PASSAGES = 12


@dataclass(frozen=True)
class World:
    """backbone, heads: of the planted model, as files. answers: qid -> the passage to be ranked first."""

    backbone: Path
    heads: Path
    candidates: tuple[Candidates, ...]
    answers: Mapping[str, str]


def make_world(folder: Path) -> World:
    """Write the planted backbone and its head set into a folder; equal versions of NumPy and SciPy give equal bytes.

    Each question has one passage that answers it, at another place each time, among passages without judgement.
    """
    generate(_COLLECTION, folder / "words")
    collection = LocalCollection("words", folder / "words")
    documents = {document.docid: document for document in collection.documents()}
    build_mini_backbone(_BACKBONE, documents.values(), folder / "backbone")
    planted = tuple((layer, head) for layer, head, _ in _BACKBONE["planted"])
    qualities = tuple(quality for _, _, quality in _BACKBONE["planted"])
    heads = HeadSet("qrhead", "backbone", _BACKBONE["layers"], _BACKBONE["heads"], planted, qualities)
    heads.save(folder / "heads.json")
    candidates, answers = [], {}
    for number, (qid, query) in enumerate(collection.queries().items()):
        grades = collection.qrels()[qid]
        answer = _most_alike(query, [documents[docid] for docid, grade in grades.items() if grade == 3])
        others = [document for docid, document in documents.items() if docid not in grades]
        first = number * _PASSAGES
        listed = others[first : first + _PASSAGES - 1]
        listed.insert(number % _PASSAGES, answer)
        candidates.append(Candidates(qid, query, tuple(listed)))
        answers[qid] = answer.docid
    return World(folder / "backbone", folder / "heads.json", tuple(candidates), answers)


def _most_alike(query: str, documents: Sequence[Document]) -> Document:
    """The document with most of the query's words."""
    words = set(WORD.findall(query))
    return max(documents, key=lambda document: len(words & set(WORD.findall(document.text))))
