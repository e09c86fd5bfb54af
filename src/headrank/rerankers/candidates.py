"""Candidates: a query and the documents that the first stage found for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrank.data.beir import check_query
from headrank.data.collections import Document, open_collection, read_passages
from headrank.data.trec import Run, read_run
from headrank.errors import InputError, shown
from headrank.jobs.shards import blocks_of


@dataclass(frozen=True)
class Candidates:
    """One query with its candidates in first-stage order.

    most_tokens: each document is cut to so many tokens, if the method's own cut leaves more of it.

    Raises InputError for a query that is no text and for a document that is none or whose title or text is no text.
    """

    qid: str
    query: str
    documents: tuple[Document, ...]
    most_tokens: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.query, str):
            raise InputError(f"query {self.qid!r}: expected a text, got {shown(self.query)}")
        for place, document in enumerate(self.documents):
            if not isinstance(document, Document):
                raise InputError(f"passages[{place}]: expected a text or a Document, got {shown(document)}")
            for name in ("title", "text"):
                value = getattr(document, name)
                if not isinstance(value, str):
                    raise InputError(f"passages[{place}]: its {name} is {shown(value)}, expected a text")


def gather_candidates(
    queries: Mapping[str, str], run: Run, passages: Mapping[str, Document], depth: int
) -> list[Candidates]:
    """The first ``depth`` candidates of every query of the run, with their texts.

    Raises InputError for a query without text, without candidates, or with a candidate whose text is not among the
    passages.
    """
    gathered = []
    for qid, ranked in run.items():
        if qid not in queries:
            raise InputError(f"query {qid!r} is in the run but not among the queries")
        check_query(qid, queries[qid], "candidates")
        if not ranked:
            raise InputError(f"query {qid!r} has no candidates")
        docids = [docid for docid, _ in ranked[:depth]]
        absent = [docid for docid in docids if docid not in passages]
        if absent:
            raise InputError(
                f"query {qid!r}: {len(absent)} candidates have no text in the collection, such as {absent[0]!r}"
            )
        gathered.append(Candidates(qid, queries[qid], tuple(passages[docid] for docid in docids)))
    return gathered


def read_candidates_of(folder: str | Path, depth: int) -> list[Candidates]:
    """The candidates of a prepared collection: a folder with queries.jsonl, candidates.trec and passages.jsonl."""
    place = Path(folder)
    queries = open_collection(place.name, {"source": "local", "path": str(place)}).queries()
    passages = read_passages(place / "passages.jsonl")
    return gather_candidates(queries, read_run(place / "candidates.trec"), passages, depth)


def shard_of_candidates(
    run: str | Path, depth: int, queries: int | None, shard: tuple[int, int], offset: int = 0
) -> list[Sequence[Candidates]]:
    """The blocks of a prepared collection that one shard (its number from 0, and how many there are) ranks.

    run: the collection's candidates.trec; queries: how many, from the first, or None for all; offset: the shard that
    gets the first block. On a small benchmark a shard may have no queries; it then has one empty block.
    """
    return blocks_of(read_candidates_of(Path(run).parent, depth)[:queries], *shard, offset) or [[]]


def queries_of_shard(run: str | Path, queries: int | None, shard: tuple[int, int], offset: int = 0) -> int:
    """How many queries ``shard_of_candidates`` would give, without reading their passages."""
    return sum(map(len, blocks_of([*read_run(run)][:queries], *shard, offset)))
