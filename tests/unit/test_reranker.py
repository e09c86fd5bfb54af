"""The reranker for users: what it accepts as a query and as passages, and how long passages may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support import checkpoint, passages

from headrank import Reranker
from headrank.data.collections import Document
from headrank.engine.backbone import load_backbone
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.rerankers import Candidates
from headrank.settings import Settings, TrainingSettings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter

HEADS = HeadSet("headrank", "tiny", 4, 4, ((1, 2), (0, 1)), (1.0, 0.5))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    backbone = load_backbone(checkpoint("qwen3"), HEADS.depth)
    torch.manual_seed(3)
    model = attach_lora(backbone, HEADS, TrainingSettings(lora_r=4))
    save_adapter(model, folder, backbone, HEADS, to_mapping(Settings()))
    return folder


@pytest.fixture(scope="module")
def reranker(adapter: Path) -> Reranker:
    return Reranker.load(adapter)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("red oak tree", "passages: expected a list of texts or Documents, got 'red oak tree'"),
        (b"red oak", "passages: expected a list of texts or Documents, got b'red oak'"),
        ({"a": "red oak"}, "passages: expected a list .*got {'a': 'red oak'}"),
        (Document("a", "", "x"), "passages: expected a list "),
        (None, "passages: expected a list .*got None"),
        (7, "passages: expected a list .*got 7"),
        (["a", None], r"passages\[1\]: its text is None, expected a text"),
        (["a", 3.5], r"passages\[1\]: its text is 3\.5, expected a text"),
        ([float("nan")], r"passages\[0\]: its text is nan"),
        (["a", {"text": "b"}], r"passages\[1\]: its text is {'text': 'b'}"),
        ([["a"]], r"passages\[0\]: its text is \['a'\]"),
        ([b"a"], r"passages\[0\]: its text is b'a'"),
        ([Document("a", None, "x")], r"passages\[0\]: its title is None, expected a text"),  # type: ignore[arg-type]
        (["x" * 9, Document("a", "", 5)], r"passages\[1\]: its text is 5"),  # type: ignore[arg-type]
    ],
)
def test_passages_that_are_none_are_refused(reranker: Reranker, given: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}") as caught:
        reranker.rerank("oak", given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("query", [None, 7, ["oak"], b"oak"])
def test_a_query_that_is_no_text_is_refused(reranker: Reranker, query: Any) -> None:
    with pytest.raises(InputError, match="query: expected a text, got "):
        reranker.rerank(query, ["red oak"])
    with pytest.raises(InputError, match="query 'q1': expected a text, got "):
        Candidates("q1", query, (Document("a", "", "x"),))


@pytest.mark.parametrize("query", ["", " \n", "\u200b", "\ufeff\x00"])
def test_a_query_without_text_is_refused(reranker: Reranker, query: str) -> None:
    with pytest.raises(InputError, match="has no text"):
        reranker.rerank(query, ["red oak"])


def test_any_iterable_of_texts_and_documents_is_ranked(reranker: Reranker) -> None:
    texts = [document.text for document in passages(4)]
    as_list = reranker.rerank("oak", texts)
    assert sorted(p.index for p in as_list) == [0, 1, 2, 3]
    for other in (tuple(texts), iter(texts), (Document("", "", text) for text in texts)):
        assert [p.score for p in reranker.rerank("oak", other)] == [p.score for p in as_list]
    assert reranker.rerank("oak", []) == []


def test_the_length_of_passages_can_be_chosen(adapter: Path) -> None:
    chinese = "红橡树是一种落叶乔木。" * 50
    shorter = Reranker.load(adapter, truncate_tokens=20)
    documents = [Document("a", "", chinese), Document("b", "", "red oak " * 30)]
    assert [stop - start for start, stop in shorter.builder.build("oak", documents).text] == [20, 20]
    words = Reranker.load(adapter, truncate_words=5).builder.build("oak", documents)
    assert [stop - start for start, stop in words.text] == [5, len(" red oak red oak red")]
    with pytest.raises(InputError, match=r"passages\.truncate_tokens: expected at least 1, got 0"):
        Reranker.load(adapter, truncate_tokens=0)
