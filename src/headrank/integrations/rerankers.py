"""A model class of the library ``rerankers``: ``rank`` gives RankedResults.

Importing this file adds it to the models that ``rerankers.Reranker(..., model_type="HeadRankRanker")`` knows.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

from headrank.api import Reranker
from headrank.api.reranker import Beyond
from headrank.errors import UsageError, shown
from headrank.integrations.given import loaded, missing

try:
    from rerankers.documents import Document
    from rerankers.models import AVAILABLE_RANKERS
    from rerankers.models.ranker import BaseRanker
    from rerankers.results import RankedResults, Result
except ImportError as error:
    raise missing("rerankers", "rerankers", error) from None


class HeadRankRanker(BaseRanker):
    """Any of HeadRank's methods under the interface of rerankers.

    model_name_or_path: a loaded Reranker; with ``method`` the backbone (a folder, a GGUF file or a hub id); otherwise
    the folder of an adapter. It may be left out where ``options``, the arguments of a Reranker, name both. verbose: 0
    shows no progress.
    """

    def __init__(
        self,
        model_name_or_path: str | Path | Reranker | None = None,
        verbose: int = 1,
        *,
        beyond: Beyond = "windows",
        **options: Any,
    ) -> None:
        self.verbose = verbose
        self.beyond = beyond
        self.ranking_type = "listwise"
        given = None
        if isinstance(model_name_or_path, str | Path):
            # Of an adapter that is named apart, it is the base model.
            what = "backbone" if options.get("method") or options.get("adapter") else "adapter"
            if options.get(what) is not None:
                raise UsageError(f"{what}: given twice, as {shown(str(model_name_or_path))} too")
            options[what] = model_name_or_path
        else:
            given = model_name_or_path
        self.reranker = loaded(given, options)

    def rank(
        self,
        query: str,
        docs: str | Document | list[str] | list[Document],
        doc_ids: list[str] | list[int] | None = None,
        metadata: list[dict[str, Any]] | None = None,
    ) -> RankedResults:
        """Rank documents, all of which come back, best first, with ranks from 1.

        doc_ids, metadata: one per document, in place of its own; without any, a document's id is its place.
        """
        documents = _documents(docs, doc_ids, metadata)
        ranked = self.reranker.rank(
            query, [d.text for d in documents], beyond=self.beyond, progress=self.verbose > 0
        )
        results = [Result(document=documents[d.index], score=d.score, rank=d.rank) for d in ranked]
        return RankedResults(results=results, query=query, has_scores=True)

    def score(self, query: str, doc: str) -> float:
        """The score of one document in a list of its own: with others beside it, it would have another one."""
        return self.reranker.rank(query, [doc])[0].score


def _documents(docs: Any, doc_ids: Any, metadata: Any) -> list[Document]:
    """Copies of what was given; rerankers' own ``prep_docs`` changes the caller's and fails on an empty list."""
    listed = [docs] if isinstance(docs, str | Document) else docs
    if not isinstance(listed, list | tuple):
        raise UsageError(f"docs: expected a list of texts or Documents, got {shown(docs)}")
    for name, values in (("doc_ids", doc_ids), ("metadata", metadata)):
        if values is not None and len(values) != len(listed):
            raise UsageError(f"{name}: {len(values)} for {len(listed)} documents; give one for each")
    found = []
    for i, given in enumerate(listed):
        if not isinstance(given, str | Document) or (isinstance(given, Document) and given.text is None):
            raise UsageError(f"docs[{i}]: expected a text or a Document with a text, got {shown(given)}")
        document = Document(given) if isinstance(given, str) else copy(given)
        if doc_ids is not None:
            document.doc_id = doc_ids[i]
        elif document.doc_id is None:
            document.doc_id = i
        if metadata is not None:
            document.metadata = metadata[i]
        found.append(document)
    return found


AVAILABLE_RANKERS["HeadRankRanker"] = HeadRankRanker
