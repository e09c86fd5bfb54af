"""A ranker component of Haystack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from headrank.api import Reranker
from headrank.api.reranker import Beyond
from headrank.integrations.given import check_arguments, loaded, missing

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ImportError as error:
    raise missing("Haystack", "haystack", error) from None


@component
class HeadRankRanker:
    """Ranks documents for a query; their scores replace those of the retriever.

    reranker: a loaded Reranker, or else the arguments of one by name (``options``), which ``warm_up`` loads. top_k: how
    many documents come back, by default all. beyond: see ``Reranker.rank``. meta_fields_to_embed: metadata that is read
    before the content, joined by ``embedding_separator``.

    As in Haystack's own rankers, of documents with the same id the one with the highest score is ranked.
    """

    def __init__(
        self,
        reranker: Any = None,
        *,
        top_k: int | None = None,
        beyond: Beyond = "windows",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        **options: Any,
    ) -> None:
        check_arguments(reranker, options)
        self.top_k = top_k
        self.beyond = beyond
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator
        self._reranker: Reranker | None = reranker
        self._options = options

    def warm_up(self) -> None:
        """Load the model, if that has not been done."""
        self._loaded()

    def _loaded(self) -> Reranker:
        if self._reranker is None:
            self._reranker = loaded(None, self._options)
        return self._reranker

    def to_dict(self) -> dict[str, Any]:
        """What makes this component again; of a loaded Reranker, the arguments that it was made with."""
        given = self._options if self._reranker is None else self._reranker.arguments
        made: dict[str, Any] = default_to_dict(
            self,
            top_k=self.top_k,
            beyond=self.beyond,
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
            **{name: str(value) if isinstance(value, Path) else value for name, value in given.items()},
        )
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HeadRankRanker:
        """The component that ``to_dict`` wrote."""
        made: HeadRankRanker = default_from_dict(cls, data)
        return made

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Rank documents, given best first. top_k: in place of the component's own."""
        given = _distinct(documents)
        ranked = self._loaded().rank(
            query,
            [self._text(document) for document in given],
            top_k=self.top_k if top_k is None else top_k,
            beyond=self.beyond,
            progress=False,
        )
        return {"documents": [replace(given[d.index], score=d.score) for d in ranked]}

    def _text(self, document: Document) -> str:
        fields = [document.meta.get(name) for name in self.meta_fields_to_embed]
        told = [str(value) for value in fields if value is not None]
        return self.embedding_separator.join([*told, document.content or ""])


def _distinct(documents: list[Document]) -> list[Document]:
    """Of documents with the same id the one with the highest score, where the first of them stood."""
    best: dict[str, Document] = {}
    for document in documents:
        other = best.get(document.id)
        if other is None or _score(document) > _score(other):
            best[document.id] = document
    return list(best.values())


def _score(document: Document) -> float:
    return float("-inf") if document.score is None else float(document.score)
