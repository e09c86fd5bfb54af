"""The model class of rerankers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import rerankers
from rerankers import Document
from rerankers.models.ranker import BaseRanker
from short_texts import texts

from headrank import Reranker
from headrank.errors import InputError, UsageError
from headrank.integrations.rerankers import HeadRankRanker

TEXTS = texts(9)


def test_results_have_the_ids_scores_and_order_of_rank(reranker: Reranker) -> None:
    ranker = HeadRankRanker(reranker, verbose=0)
    assert isinstance(ranker, BaseRanker)
    ids = [f"d{i}" for i in range(9)]
    results = ranker.rank("red oak", TEXTS, doc_ids=ids, metadata=[{"at": i} for i in range(9)])
    expected = reranker.rank("red oak", TEXTS, ids=ids)
    assert [r.document.doc_id for r in results] == [d.id for d in expected]
    assert [r.document.text for r in results] == [d.text for d in expected]
    assert [r.document.metadata for r in results] == [{"at": d.index} for d in expected]
    assert [r.score for r in results] == [d.score for d in expected]
    assert [r.rank for r in results] == [*range(1, 10)]
    assert results.has_scores
    assert results.query == "red oak"
    assert [r.doc_id for r in results.top_k(3)] == [d.id for d in expected[:3]]
    assert results.get_score_by_docid("d4") == next(d.score for d in expected if d.id == "d4")


def test_documents_keep_their_ids_and_metadata_and_are_not_changed(reranker: Reranker) -> None:
    given = [Document(text, doc_id=f"x{i}", metadata={"i": i}) for i, text in enumerate(TEXTS[:4])]
    results = HeadRankRanker(reranker).rank("elm", given)
    assert {r.doc_id: r.metadata["i"] for r in results} == {f"x{i}": i for i in range(4)}
    other = HeadRankRanker(reranker).rank("elm", given, doc_ids=[1, 1, 2, 2], metadata=[{}] * 4)
    assert sorted(r.doc_id for r in other) == [1, 1, 2, 2]
    assert [d.doc_id for d in given] == ["x0", "x1", "x2", "x3"]
    assert given[3].metadata == {"i": 3}
    unnamed = HeadRankRanker(reranker).rank("elm", [Document(text) for text in TEXTS[:4]])
    assert [r.doc_id for r in unnamed] == [d.index for d in reranker.rank("elm", TEXTS[:4])]


def test_one_text_or_none_are_lists_too(reranker: Reranker) -> None:
    ranker = HeadRankRanker(reranker)
    assert [r.text for r in ranker.rank("elm", TEXTS[0])] == [TEXTS[0]]
    assert [r.text for r in ranker.rank("elm", Document(TEXTS[1]))] == [TEXTS[1]]
    assert ranker.rank("elm", []).results == []
    assert ranker.score("elm", TEXTS[0]) == reranker.rank("elm", TEXTS[:1])[0].score


def test_documents_beyond_one_pass_come_back(reranker: Reranker) -> None:
    results = HeadRankRanker(reranker, beyond="append").rank("stone", TEXTS)
    expected = reranker.rank("stone", TEXTS, beyond="append")
    assert [(r.doc_id, r.score) for r in results] == [(d.index, d.score) for d in expected]


def test_ties_keep_the_given_order(alike: Reranker) -> None:
    results = HeadRankRanker(alike).rank("stone", TEXTS[:5])
    assert [r.doc_id for r in results] == [r.doc_id for r in results.top_k(5)] == [0, 1, 2, 3, 4]


def test_it_ranks_in_other_threads_as_in_this_one(reranker: Reranker) -> None:
    ranker = HeadRankRanker(reranker, verbose=0)
    queries = ["red oak", "stone", "elm river", "cloud"] * 3

    async def together() -> list[rerankers.results.RankedResults]:
        return await asyncio.gather(*(ranker.rank_async(query, TEXTS) for query in queries))

    for query, results in zip(queries, asyncio.run(together()), strict=True):
        assert [r.score for r in results] == [r.score for r in ranker.rank(query, TEXTS)]


def test_the_factory_knows_it(backbone: Path, adapter: Path, reranker: Reranker) -> None:
    made = rerankers.Reranker(str(backbone), model_type="HeadRankRanker", verbose=0, method="icr", depth=6)
    results = made.rank("red oak", TEXTS)
    assert [(r.doc_id, r.score) for r in results] == [
        (d.index, d.score) for d in reranker.rank("red oak", TEXTS)
    ]
    trained = rerankers.Reranker(str(adapter), model_type="HeadRankRanker", verbose=0)
    assert trained.reranker.arguments == {"adapter": str(adapter)}
    apart = HeadRankRanker(backbone, adapter=adapter)
    assert apart.reranker.arguments == {"adapter": str(adapter), "backbone": str(backbone)}


def test_what_cannot_be_ranked_is_refused(reranker: Reranker, backbone: Path) -> None:
    ranker = HeadRankRanker(reranker)
    image = Document(document_type="image", image_path="a.png")
    with pytest.raises(UsageError, match=r"^docs\[1\]: expected a text or a Document with a text"):
        ranker.rank("elm", [Document("a"), image])
    with pytest.raises(UsageError, match=r"^doc_ids: 1 for 2 documents"):
        ranker.rank("elm", ["a", "b"], doc_ids=["x"])
    with pytest.raises(UsageError, match=r"^docs: expected a list of texts or Documents, got 7"):
        ranker.rank("elm", 7)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^query: expected a text, got None"):
        ranker.rank(None, ["a"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no text"):
        ranker.rank("", ["a"])
    with pytest.raises(UsageError, match=r"^backbone: given twice"):
        HeadRankRanker(backbone, method="icr", backbone=backbone)
    with pytest.raises(UsageError, match=r"^reranker: give a loaded Reranker, or its arguments"):
        HeadRankRanker()
