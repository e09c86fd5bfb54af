"""A node postprocessor of LlamaIndex."""

from __future__ import annotations

from typing import Any

from headrank.api import Reranker
from headrank.api.reranker import Beyond
from headrank.errors import UsageError
from headrank.integrations.given import loaded, missing

try:
    from llama_index.core.bridge.pydantic import Field, PrivateAttr
    from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
except ImportError as error:
    raise missing("LlamaIndex", "llama-index", error) from None


class HeadRankRerank(BaseNodePostprocessor):
    """Ranks retrieved nodes: new NodeWithScore with the same nodes, best first.

    reranker: a loaded Reranker, or else the arguments of one by name (``options``). top_n: how many nodes come back, by
    default all. beyond: see ``Reranker.rank``. metadata_mode: which metadata of a node is read with its text; by
    default what it shows to embedding models, as in LlamaIndex's own rerankers. arguments: as ``to_dict`` writes them.
    """

    arguments: dict[str, Any] = Field(description="What the Reranker was made with.")
    top_n: int | None = Field(default=None, description="Number of nodes to return; all by default.")
    beyond: Beyond = Field(default="windows", description="What happens to nodes beyond one pass.")
    metadata_mode: MetadataMode = Field(
        default=MetadataMode.EMBED, description="Which metadata is read with the text."
    )
    _reranker: Reranker = PrivateAttr()

    def __init__(
        self,
        reranker: Any = None,
        *,
        top_n: int | None = None,
        beyond: Beyond = "windows",
        metadata_mode: MetadataMode = MetadataMode.EMBED,
        callback_manager: CallbackManager | None = None,
        arguments: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        # BaseComponent.from_dict passes its class's name on.
        options.pop("class_name", None)
        found = loaded(reranker, {**(arguments or {}), **options})
        super().__init__(
            arguments=found.arguments,
            top_n=top_n,
            beyond=beyond,
            metadata_mode=metadata_mode,
            callback_manager=callback_manager or CallbackManager(),
        )
        self._reranker = found

    @classmethod
    def class_name(cls) -> str:
        return "HeadRankRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise UsageError("query_bundle: missing; give query_bundle or query_str")
        payload = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: repr(self._reranker),
            EventPayload.QUERY_STR: query_bundle.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            texts = [node.node.get_content(metadata_mode=self.metadata_mode) for node in nodes]
            ranked = self._reranker.rank(
                query_bundle.query_str, texts, top_k=self.top_n, beyond=self.beyond, progress=False
            )
            found = [NodeWithScore(node=nodes[d.index].node, score=d.score) for d in ranked]
            event.on_end(payload={EventPayload.NODES: found})
        return found
