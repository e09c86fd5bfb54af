"""The document compressor of LangChain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from short_texts import texts

from headrank import Reranker
from headrank.errors import InputError, UsageError
from headrank.integrations.langchain import HeadRankCompressor

TEXTS = texts(9)


class Fixed(BaseRetriever):
    """Finds the same documents for every query."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return self.documents


def documents() -> list[Document]:
    return [Document(text, id=f"d{i}", metadata={"at": i}) for i, text in enumerate(TEXTS)]


def test_documents_have_the_scores_and_order_of_rank(reranker: Reranker) -> None:
    given = documents()
    found = HeadRankCompressor(reranker).compress_documents(given, "red oak")
    expected = reranker.rank("red oak", TEXTS)
    assert [(d.id, d.page_content) for d in found] == [(f"d{d.index}", d.text) for d in expected]
    assert [d.metadata for d in found] == [{"at": d.index, "relevance_score": d.score} for d in expected]
    assert given == documents()
    top = HeadRankCompressor(reranker, top_n=3).compress_documents(tuple(given), "red oak")
    assert list(top) == list(found)[:3]
    assert HeadRankCompressor(reranker, top_n=30).compress_documents(given, "red oak") == found


def test_it_compresses_what_a_retriever_finds(reranker: Reranker) -> None:
    compressor = HeadRankCompressor(reranker, top_n=4)
    expected = list(compressor.compress_documents(documents(), "stone"))
    retriever = ContextualCompressionRetriever(
        base_compressor=compressor, base_retriever=Fixed(documents=documents())
    )
    assert retriever.invoke("stone") == expected
    assert asyncio.run(retriever.ainvoke("stone")) == expected
    # Several at once, in threads.
    queries = ["stone", "red oak", "elm"] * 3
    assert retriever.batch(queries) == [retriever.invoke(query) for query in queries]
    pipeline = DocumentCompressorPipeline(transformers=[compressor])
    assert pipeline.compress_documents(documents(), "stone", callbacks=[]) == expected
    nothing = ContextualCompressionRetriever(base_compressor=compressor, base_retriever=Fixed(documents=[]))
    assert nothing.invoke("stone") == []


def test_the_asynchronous_version_is_the_same(reranker: Reranker) -> None:
    compressor = HeadRankCompressor(reranker)
    found = asyncio.run(compressor.acompress_documents(documents(), "elm"))
    assert found == compressor.compress_documents(documents(), "elm")


def test_documents_beyond_one_pass_come_back(reranker: Reranker) -> None:
    found = HeadRankCompressor(reranker, beyond="append").compress_documents(documents(), "stone")
    expected = reranker.rank("stone", TEXTS, beyond="append")
    assert [(d.id, d.metadata["relevance_score"]) for d in found] == [
        (f"d{d.index}", d.score) for d in expected
    ]


def test_documents_that_are_equal_or_none_at_all(reranker: Reranker) -> None:
    compressor = HeadRankCompressor(reranker)
    twice = [Document("red oak", metadata={"n": n}) for n in (1, 2)]
    assert sorted(d.metadata["n"] for d in compressor.compress_documents(twice, "oak")) == [1, 2]
    assert compressor.compress_documents([], "oak") == []


def test_ties_keep_the_given_order(alike: Reranker) -> None:
    found = HeadRankCompressor(alike).compress_documents(documents()[:5], "oak")
    assert [d.id for d in found] == ["d0", "d1", "d2", "d3", "d4"]


def test_it_takes_a_rerankers_arguments(backbone: Path, reranker: Reranker, adapter: Path) -> None:
    made = HeadRankCompressor(method="icr", backbone=str(backbone), depth=6, top_n=2)
    expected = HeadRankCompressor(reranker, top_n=2).compress_documents(documents(), "oak")
    assert made.compress_documents(documents(), "oak") == expected
    assert HeadRankCompressor(adapter=adapter).reranker.name == "headrank"


def test_what_cannot_be_ranked_is_refused(reranker: Reranker) -> None:
    compressor = HeadRankCompressor(reranker)
    with pytest.raises(UsageError, match=r"^query: expected a text, got None"):
        compressor.compress_documents(documents(), None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no text"):
        compressor.compress_documents(documents(), "")
    with pytest.raises(UsageError, match=r"^bakbone: unknown argument; did you mean 'backbone'"):
        HeadRankCompressor(bakbone="x")
    with pytest.raises(UsageError, match=r"^reranker: expected a loaded Reranker, got 'icr'"):
        HeadRankCompressor("icr")
