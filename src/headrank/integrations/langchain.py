"""A document compressor of LangChain, for example in a ContextualCompressionRetriever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrank.api import Reranker
from headrank.api.reranker import Beyond
from headrank.integrations.given import loaded, missing

try:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, Document
    from pydantic import ConfigDict
except ImportError as error:
    raise missing("LangChain", "langchain", error) from None


class HeadRankCompressor(BaseDocumentCompressor):
    """Ranks retrieved documents; their scores are in the metadata as ``relevance_score``.

    reranker: a loaded Reranker, or else the arguments of one by name (``options``). top_n: how many documents come
    back, by default all. beyond: see ``Reranker.rank``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    reranker: Reranker
    top_n: int | None = None
    beyond: Beyond = "windows"

    def __init__(
        self,
        reranker: Any = None,
        *,
        top_n: int | None = None,
        beyond: Beyond = "windows",
        **options: Any,
    ) -> None:
        # Not in a validator: pydantic would turn one line about an argument into many.
        super().__init__(reranker=loaded(reranker, options), top_n=top_n, beyond=beyond)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Copies of the documents, best first, with the score in the metadata.

        LangChain's ``acompress_documents`` calls this in a thread.
        """
        del callbacks  # There are no steps within it that they could be told of.
        given = list(documents)
        ranked = self.reranker.rank(
            query, [d.page_content for d in given], top_k=self.top_n, beyond=self.beyond, progress=False
        )
        return [
            given[d.index].model_copy(
                update={"metadata": {**given[d.index].metadata, "relevance_score": d.score}}
            )
            for d in ranked
        ]
