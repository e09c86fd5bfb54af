"""``Reranker.rank(..., explain=True)``: an explanation for each document that was read, and the same ranking."""

from __future__ import annotations

import numpy as np
import pytest
from support import checkpoint, passages

from headrank import Document, Reranker
from headrank.errors import UsageError
from headrank.heads.head_set import HeadSet

HEADS = HeadSet("core", "tiny", 4, 4, ((1, 1), (2, 1)), (1.0, 0.5))
DOCUMENTS = [*passages(4), Document("", "", " ")]


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Reranker:
    path = tmp_path_factory.mktemp("heads") / "core.json"
    HEADS.save(path)
    return Reranker("core", checkpoint("qwen3"), heads=path, device="cpu", truncate_words=2)


def test_the_ranking_is_the_same_and_each_document_is_explained(reranker: Reranker) -> None:
    plain = reranker.rank("red oak", DOCUMENTS)
    found = reranker.rank("red oak", DOCUMENTS, explain=True)
    assert found == plain
    assert all(document.explanation is None for document in plain)
    for document in found:
        one = document.explanation
        assert one is not None
        assert one.position == document.index
        assert one.heads == HEADS.heads
        assert one.null is not None
        assert sum(span.weight for span in one.spans) == pytest.approx(one.score, abs=1e-7)
        # Each token says where it stands in what was read of this document, after its title.
        words = f"{document.title} {document.text}".split()
        assert " ".join(one.text.split()) == " ".join(words[: 2 + 2 * bool(document.title)])
        assert one.unread == " ".join(words[2 + 2 * bool(document.title) :])
        assert "".join(span.token for span in one.spans).strip() == one.text.strip()
        raw = np.array([span.attention for span in one.spans]).reshape(-1, 2)
        np.testing.assert_array_equal(raw.T, one.attention)
    best = found[0].explanation
    assert best is not None
    strongest = best.strongest(2)
    assert [span.weight for span in strongest] == sorted((s.weight for s in best.spans), reverse=True)[:2]


def test_queries_have_their_own_explanations(reranker: Reranker) -> None:
    queries, lists = ["red oak", "blue stone"], [DOCUMENTS[:2], DOCUMENTS[1:4]]
    both = reranker.rank_many(queries, lists, explain=True, progress=False)
    for query, documents, ranking in zip(queries, lists, both, strict=True):
        alone = reranker.rank(query, documents, explain=True)
        for document, other in zip(ranking, alone, strict=True):
            assert document.explanation is not None
            assert other.explanation is not None
            np.testing.assert_allclose(
                document.explanation.weights, other.explanation.weights, rtol=1e-4, atol=1e-7
            )
    assert reranker.rank("red oak", [], explain=True) == []


def test_documents_that_were_not_read_have_none_and_windows_are_refused(reranker: Reranker) -> None:
    many = passages(45)
    found = reranker.rank("red oak", many, explain=True, beyond="append")
    assert [document.explanation is not None for document in found] == [True] * 40 + [False] * 5
    with pytest.raises(UsageError, match=r"^explain: 45 documents take 2 passes.*at most 40") as caught:
        reranker.rank("red oak", many, explain=True)
    assert "\n" not in str(caught.value)


def test_a_generative_method_is_refused_before_it_is_asked() -> None:
    with pytest.raises(UsageError, match=r"^yes-no: asks the model"):
        Reranker("yes-no", checkpoint("qwen3"), device="cpu").rank("red oak", ["red"], explain=True)
