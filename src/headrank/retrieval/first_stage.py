"""First stage: BM25 candidates from an index, as a run like any other.

The Lucene variant of BM25 with k1 = 0.9 and b = 0.4, the English stop words of bm25s and the Snowball
English stemmer, over title and text joined to one field: the settings of the published BM25 rows, except for the
tokeniser.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from tqdm.auto import tqdm

from headrank.data.collections import Document
from headrank.data.trec import Run
from headrank.errors import InputError, UsageError
from headrank.retrieval.bm25_index import Bm25Index, build_index

logger = logging.getLogger(__name__)


class Index(Protocol):
    """Anything that ranks a whole collection for a query."""

    def search(self, query: str, depth: int) -> list[tuple[str, float]]:
        """The ``depth`` best documents, best first, ties in the order of the collection."""


def retrieve(index: Index, queries: Mapping[str, str], depth: int, drop_same_id: bool = False) -> Run:
    """Retrieve the ``depth`` best documents of each query.

    A query for which the index finds nothing gets an empty list and is named in the log. ``drop_same_id`` leaves out
    the document that has the query's own id, for collections whose queries are documents. Raises InputError without
    queries and on a depth below 1.
    """
    if not queries:
        raise InputError("queries: none given, nothing to retrieve")
    _check_depth(depth)
    progress = tqdm(queries.items(), desc="first stage", unit="query", disable=None)
    run = {qid: index.search(text, depth + drop_same_id) for qid, text in progress}
    run = cut(without_same_id(run) if drop_same_id else run, depth)
    without = [qid for qid, found in run.items() if not found]
    if without:
        logger.warning(
            "nothing was found for %d of %d queries: %s", len(without), len(run), ", ".join(without)
        )
    return run


def bm25(
    documents: Iterable[Document],
    queries: Mapping[str, str],
    depth: int,
    k1: float = 0.9,
    b: float = 0.4,
    drop_same_id: bool = False,
) -> Run:
    """BM25 in one go, over an index that is thrown away: ``build_index`` and ``retrieve``.

    Only documents that share a term with the query are candidates.
    """
    with tempfile.TemporaryDirectory(prefix="headrank-bm25-") as directory:
        build_index(documents, directory, k1, b)
        return retrieve(Bm25Index(directory), queries, depth, drop_same_id)


def cut(run: Mapping[str, Sequence[tuple[str, float]]], depth: int) -> Run:
    """The first ``depth`` candidates of each query; InputError on a depth below 1."""
    _check_depth(depth)
    return {qid: list(documents[:depth]) for qid, documents in run.items()}


def without_same_id(run: Mapping[str, Sequence[tuple[str, float]]]) -> Run:
    """Drop the document that has the query's own id (ArguAna, Quora); do so before the run is cut."""
    return {qid: [pair for pair in documents if pair[0] != qid] for qid, documents in run.items()}


def given_candidates(run: Run, queries: Collection[str], source: str, drop_same_id: bool = False) -> Run:
    """Candidates that were retrieved elsewhere, for the given queries; those of other queries are left out.

    source: the file or collection named in the message. Raises InputError for a query without candidates.
    """
    known = {qid: ranked for qid, ranked in run.items() if qid in queries}
    known = without_same_id(known) if drop_same_id else known
    without = [qid for qid in queries if not known.get(qid)]
    if without:
        raise InputError(
            f"{source}: no candidates for {_some(without)}; add them to the run or leave these queries out"
        )
    return known


def _some(qids: Sequence[str]) -> str:
    if len(qids) == 1:
        return f"query {qids[0]}"
    more = f" and {len(qids) - 5} more" if len(qids) > 5 else ""
    return f"{len(qids)} queries ({', '.join(qids[:5])}{more})"


def _check_depth(depth: int) -> None:
    if depth < 1:
        raise UsageError(f"depth: {depth} candidates per query are too few; give 1 or more")
