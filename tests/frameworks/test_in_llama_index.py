"""The node postprocessor of LlamaIndex."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager, CBEventType
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from short_texts import texts

from headrank import Reranker
from headrank.errors import InputError, UsageError
from headrank.integrations.llama_index import HeadRankRerank

TEXTS = texts(9)


def nodes(**metadata: Any) -> list[NodeWithScore]:
    return [
        NodeWithScore(node=TextNode(text=text, id_=f"n{i}", metadata=metadata), score=1 - i / 10)
        for i, text in enumerate(TEXTS)
    ]


class Fixed(BaseRetriever):
    """Finds the same nodes for every query."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return nodes()


class Noting(BaseCallbackHandler):
    """Keeps what happened."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.events: list[tuple[CBEventType, str, dict[str, Any]]] = []

    def on_event_start(self, event_type: CBEventType, payload: Any = None, *_: Any, **__: Any) -> str:
        self.events.append((event_type, "start", payload or {}))
        return ""

    def on_event_end(self, event_type: CBEventType, payload: Any = None, *_: Any, **__: Any) -> None:
        self.events.append((event_type, "end", payload or {}))

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...


def test_nodes_have_the_scores_and_order_of_rank(reranker: Reranker) -> None:
    given = nodes()
    found = HeadRankRerank(reranker).postprocess_nodes(given, query_str="red oak")
    expected = reranker.rank("red oak", TEXTS)
    assert [node.node_id for node in found] == [f"n{d.index}" for d in expected]
    assert [node.score for node in found] == [d.score for d in expected]
    assert all(node.node is given[d.index].node for node, d in zip(found, expected, strict=True))
    # Neither the retriever's list nor its scores are changed.
    assert given == nodes()
    top = HeadRankRerank(reranker, top_n=3).postprocess_nodes(given, QueryBundle("red oak"))
    assert top == found[:3]


def test_metadata_is_read_as_the_node_shows_it_and_kept(reranker: Reranker) -> None:
    given = nodes(author="Oak")
    found = HeadRankRerank(reranker).postprocess_nodes(given, query_str="oak")
    expected = reranker.rank("oak", [f"author: Oak\n\n{text}" for text in TEXTS])
    assert [(n.node_id, n.score) for n in found] == [(f"n{d.index}", d.score) for d in expected]
    assert {n.metadata["author"] for n in found} == {"Oak"}
    bare = HeadRankRerank(reranker, metadata_mode=MetadataMode.NONE).postprocess_nodes(given, query_str="oak")
    assert [n.score for n in bare] == [d.score for d in reranker.rank("oak", TEXTS)]


def test_it_stands_in_a_query_engine(reranker: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    # A synthesizer that writes nothing has a language model all the same, OpenAI's by default.
    monkeypatch.setattr(Settings, "_llm", MockLLM())
    engine = RetrieverQueryEngine(
        Fixed(),
        get_response_synthesizer(response_mode=ResponseMode.NO_TEXT),
        node_postprocessors=[HeadRankRerank(reranker, top_n=4)],
    )
    expected = [f"n{d.index}" for d in reranker.rank("stone", TEXTS, top_k=4)]
    assert [node.node_id for node in engine.query("stone").source_nodes] == expected
    assert [node.node_id for node in asyncio.run(engine.aquery("stone")).source_nodes] == expected


def test_several_at_once_are_ranked_as_alone(reranker: Reranker) -> None:
    postprocessor = HeadRankRerank(reranker)
    queries = ["stone", "red oak", "elm", "cloud river"] * 3

    async def together() -> list[list[NodeWithScore]]:
        each = (postprocessor.apostprocess_nodes(nodes(), query_str=query) for query in queries)
        return await asyncio.gather(*each)

    alone = [postprocessor.postprocess_nodes(nodes(), query_str=query) for query in queries]
    assert asyncio.run(together()) == alone


def test_nodes_beyond_one_pass_come_back(reranker: Reranker) -> None:
    found = HeadRankRerank(reranker, beyond="append").postprocess_nodes(nodes(), query_str="stone")
    expected = reranker.rank("stone", TEXTS, beyond="append")
    assert [(n.node_id, n.score) for n in found] == [(f"n{d.index}", d.score) for d in expected]


def test_nodes_that_are_equal_or_none_at_all(reranker: Reranker) -> None:
    postprocessor = HeadRankRerank(reranker)
    twice = [nodes()[0], nodes()[1], nodes()[0]]
    assert sorted(n.node_id for n in postprocessor.postprocess_nodes(twice, query_str="oak")) == [
        "n0",
        "n0",
        "n1",
    ]
    assert postprocessor.postprocess_nodes([], query_str="oak") == []


def test_ties_keep_the_given_order(alike: Reranker) -> None:
    found = HeadRankRerank(alike).postprocess_nodes(nodes()[:5], query_str="oak")
    assert [n.node_id for n in found] == ["n0", "n1", "n2", "n3", "n4"]


def test_callbacks_are_told(reranker: Reranker) -> None:
    handler = Noting()
    postprocessor = HeadRankRerank(reranker, top_n=2, callback_manager=CallbackManager([handler]))
    found = postprocessor.postprocess_nodes(nodes(), query_str="oak")
    (first, begun, given), (last, ended, got) = handler.events
    assert (first, begun, last, ended) == (CBEventType.RERANKING, "start", CBEventType.RERANKING, "end")
    assert (given["query_str"], given["top_k"], len(given["nodes"])) == ("oak", 2, 9)
    assert got["nodes"] == found


def test_it_is_written_and_read_again(backbone: Path, reranker: Reranker) -> None:
    made = HeadRankRerank(method="icr", backbone=backbone, depth=6, top_n=2, beyond="append")
    expected = made.postprocess_nodes(nodes(), query_str="oak")
    for again in (HeadRankRerank.from_dict(made.to_dict()), HeadRankRerank.from_json(made.to_json())):
        assert again.to_dict() == made.to_dict()
        assert again.postprocess_nodes(nodes(), query_str="oak") == expected
    told = HeadRankRerank(reranker).to_dict()
    assert told["arguments"] == {"method": "icr", "backbone": str(backbone), "depth": 6}
    assert told["class_name"] == "HeadRankRerank"


def test_what_cannot_be_ranked_is_refused(reranker: Reranker) -> None:
    postprocessor = HeadRankRerank(reranker)
    with pytest.raises(UsageError, match=r"^query_bundle: missing"):
        postprocessor.postprocess_nodes(nodes())
    with pytest.raises(UsageError, match=r"^query: expected a text, got None"):
        postprocessor.postprocess_nodes(nodes(), QueryBundle(None))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no text"):
        postprocessor.postprocess_nodes(nodes(), query_str="")
    with pytest.raises(UsageError, match=r"^reranker: is loaded already"):
        HeadRankRerank(reranker, method="icr")
