"""First stage: BM25 candidates through ``bm25s``, a run like any other.

The Lucene variant of BM25 with k1 = 0.9 and b = 0.4, the English stop words of bm25s and the Snowball
English stemmer, over title and text joined to one field: the settings of the published BM25 rows, up to the
tokeniser.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tqdm.auto import tqdm

from headrank.collections import Document
from headrank.errors import InputError
from headrank.runs import Run

logger = logging.getLogger(__name__)


def bm25(
    documents: Iterable[Document],
    queries: Mapping[str, str],
    depth: int,
    k1: float = 0.9,
    b: float = 0.4,
    drop_same_id: bool = False,
) -> Run:
    """Retrieve the ``depth`` best documents of each query.

    Only documents that share a term with the query are candidates; equal scores keep the order of the
    collection. A query without any known term gets an empty list and is named in the log. ``drop_same_id``
    leaves out the document that has the query's own id, for collections whose queries are documents. Raises
    InputError on an empty collection or query set, and on settings out of range.
    """
    import bm25s

    if depth < 1:
        raise InputError(f"depth: {depth} candidates per query are too few; give 1 or more")
    if not (k1 >= 0 and 0 <= b <= 1):
        raise InputError(f"bm25: k1 = {k1} and b = {b} are out of range (k1 >= 0, 0 <= b <= 1)")
    if not queries:
        raise InputError("queries: none given, nothing to retrieve")
    docids: list[str] = []
    texts: list[str] = []
    for document in tqdm(documents, desc="reading documents", unit="doc", disable=None):
        docids.append(document.docid)
        texts.append(f"{document.title} {document.text}".strip())
    if not docids:
        raise InputError("documents: the collection is empty, nothing to index")

    tokens = _tokenise(texts)
    del texts
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    known = bool(tokens.vocab) and any(len(ids) for ids in tokens.ids)
    if known:
        index.index(tokens, show_progress=False)
    number = {docid: i for i, docid in enumerate(docids)} if drop_same_id else {}
    run: Run = {}
    terms = _tokenise(list(queries.values()), return_ids=False)
    for qid, words in tqdm(
        zip(queries, terms, strict=True), total=len(queries), desc="BM25", unit="query", disable=None
    ):
        words = [word for word in words if known and word in tokens.vocab]
        scores = index.get_scores(words) if words else np.zeros(len(docids), dtype=np.float32)
        if qid in number:
            scores[number[qid]] = 0
        run[qid] = [(docids[i], float(scores[i])) for i in _best(scores, depth)]
    without = [qid for qid, found in run.items() if not found]
    if without:
        logger.warning(
            "BM25 found nothing for %d of %d queries: %s", len(without), len(run), ", ".join(without)
        )
    return run


def _tokenise(texts: list[str], **options: bool):  # type: ignore[no-untyped-def]
    import bm25s
    import Stemmer

    return bm25s.tokenize(
        texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False, **options
    )


def _best(scores: np.ndarray, depth: int) -> np.ndarray:
    """Indices of the ``depth`` largest positive scores, best first, ties in the order of the collection.

    A plain partition would pick any of the documents that tie with the last one kept.
    """
    if depth < len(scores):
        threshold = np.partition(scores, -depth)[-depth]
        candidates = np.flatnonzero((scores >= threshold) & (scores > 0))
    else:
        candidates = np.flatnonzero(scores > 0)
    return candidates[np.argsort(-scores[candidates], kind="stable")][:depth]


def cut(run: Mapping[str, Sequence[tuple[str, float]]], depth: int) -> Run:
    """The first ``depth`` candidates of each query; InputError on a depth below 1."""
    if depth < 1:
        raise InputError(f"depth: {depth} candidates per query are too few; give 1 or more")
    return {qid: list(documents[:depth]) for qid, documents in run.items()}


def without_same_id(run: Mapping[str, Sequence[tuple[str, float]]]) -> Run:
    """Drop the document that has the query's own id (ArguAna, Quora); do so before the run is cut."""
    return {qid: [pair for pair in documents if pair[0] != qid] for qid, documents in run.items()}
