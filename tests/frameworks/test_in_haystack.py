"""The ranker component of Haystack."""

from __future__ import annotations

from pathlib import Path

import pytest
from haystack import Document, Pipeline
from haystack.components.retrievers import InMemoryBM25Retriever
from haystack.core.errors import DeserializationError
from haystack.core.serialization import allow_deserialization_module
from haystack.document_stores.in_memory import InMemoryDocumentStore
from short_texts import texts

from headrank import Reranker
from headrank.errors import InputError, UsageError
from headrank.integrations.haystack import HeadRankRanker

TEXTS = texts(9)


def documents() -> list[Document]:
    return [
        Document(id=f"d{i}", content=text, meta={"at": i}, score=1 - i / 10) for i, text in enumerate(TEXTS)
    ]


def test_documents_have_the_scores_and_order_of_rank(reranker: Reranker) -> None:
    given = documents()
    found = HeadRankRanker(reranker).run("red oak", given)["documents"]
    expected = reranker.rank("red oak", TEXTS)
    assert [(d.id, d.content, d.score) for d in found] == [(f"d{d.index}", d.text, d.score) for d in expected]
    assert [d.meta for d in found] == [{"at": d.index} for d in expected]
    assert given == documents()
    assert HeadRankRanker(reranker, top_k=3).run("red oak", given)["documents"] == found[:3]
    assert HeadRankRanker(reranker, top_k=3).run("red oak", given, top_k=5)["documents"] == found[:5]


def test_it_stands_in_a_pipeline_that_is_written_and_read_again(backbone: Path) -> None:
    store = InMemoryDocumentStore()
    store.write_documents([Document(id=f"d{i}", content=text) for i, text in enumerate(TEXTS)])
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=4))
    pipeline.add_component("ranker", HeadRankRanker(method="icr", backbone=backbone, depth=6))
    pipeline.connect("retriever.documents", "ranker.documents")
    asked = {"retriever": {"query": "red oak"}, "ranker": {"query": "red oak"}}
    found = pipeline.run(asked)["ranker"]["documents"]
    first = InMemoryBM25Retriever(store, top_k=4).run("red oak")["documents"]
    expected = Reranker("icr", backbone).rank("red oak", [d.content for d in first])
    assert [(d.id, d.score) for d in found] == [(first[d.index].id, d.score) for d in expected]
    written = pipeline.dumps()
    # Haystack loads classes of modules that it has been told to trust.
    with pytest.raises(DeserializationError):
        Pipeline.loads(written)
    allow_deserialization_module("headrank.integrations.haystack")
    again = Pipeline.loads(written)
    assert again.dumps() == written


def test_a_model_is_loaded_when_it_warms_up(backbone: Path, reranker: Reranker) -> None:
    lazy = HeadRankRanker(method="icr", backbone=backbone / "no", top_k=2)
    assert lazy.to_dict() == {
        "type": "headrank.integrations.haystack.HeadRankRanker",
        "init_parameters": {
            "method": "icr",
            "backbone": str(backbone / "no"),
            "top_k": 2,
            "beyond": "windows",
            "meta_fields_to_embed": [],
            "embedding_separator": "\n",
        },
    }
    with pytest.raises(InputError, match="no"):
        lazy.warm_up()
    again = HeadRankRanker.from_dict(HeadRankRanker(reranker, top_k=4).to_dict())
    again.warm_up()
    assert again.run("oak", documents()) == HeadRankRanker(reranker, top_k=4).run("oak", documents())


def test_of_documents_with_one_id_the_best_is_ranked(reranker: Reranker) -> None:
    twice = [
        *documents()[:3],
        Document(id="d1", content="cloud", score=0.95),
        Document(id="d0", content="elm"),
    ]
    found = HeadRankRanker(reranker).run("oak", twice)["documents"]
    expected = reranker.rank("oak", [TEXTS[0], "cloud", TEXTS[2]])
    assert [(d.id, d.score) for d in found] == [(f"d{d.index}", d.score) for d in expected]


def test_documents_beyond_one_pass_come_back(reranker: Reranker) -> None:
    found = HeadRankRanker(reranker, beyond="append").run("stone", documents())["documents"]
    expected = reranker.rank("stone", TEXTS, beyond="append")
    assert [(d.id, d.score) for d in found] == [(f"d{d.index}", d.score) for d in expected]


def test_metadata_is_read_where_it_is_named(reranker: Reranker) -> None:
    found = HeadRankRanker(reranker, meta_fields_to_embed=["at", "absent"]).run("oak", documents()[:4])
    expected = reranker.rank("oak", [f"{i}\n{text}" for i, text in enumerate(TEXTS[:4])])
    assert [(d.id, d.score) for d in found["documents"]] == [(f"d{d.index}", d.score) for d in expected]


def test_documents_without_content_come_last_and_none_are_none(reranker: Reranker) -> None:
    found = HeadRankRanker(reranker).run("oak", [Document(id="x", meta={"a": 1}), *documents()[:3]])[
        "documents"
    ]
    assert found[-1].id == "x"
    assert HeadRankRanker(reranker).run("oak", []) == {"documents": []}


def test_ties_keep_the_given_order(alike: Reranker) -> None:
    found = HeadRankRanker(alike).run("oak", documents()[:5])["documents"]
    assert [d.id for d in found] == ["d0", "d1", "d2", "d3", "d4"]


def test_what_cannot_be_ranked_is_refused(reranker: Reranker) -> None:
    with pytest.raises(UsageError, match=r"^query: expected a text, got None"):
        HeadRankRanker(reranker).run(None, documents())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no text"):
        HeadRankRanker(reranker).run(" ", documents())
    with pytest.raises(UsageError, match=r"^top_k: expected a whole number from 1 on, got 0"):
        HeadRankRanker(reranker).run("oak", documents(), top_k=0)
    # Before the model is loaded.
    with pytest.raises(UsageError, match=r"^bakbone: unknown argument; did you mean 'backbone'"):
        HeadRankRanker(method="icr", bakbone="x")
    with pytest.raises(UsageError, match=r"^reranker: give a loaded Reranker"):
        HeadRankRanker()
