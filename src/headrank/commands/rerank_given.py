"""``headrank rerank --query … --documents …``: the passages of one query, ranked for a person or as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrank.commands.given_documents import check_no_run, read_given_documents
from headrank.commands.inputs import output_file
from headrank.commands.method_options import spelt
from headrank.commands.notes import note_tied_list, note_unread
from headrank.commands.terminal import NARROWEST, clipped, columns, encodable
from headrank.data.beir import check_query
from headrank.errors import UsageError
from headrank.methods.entry import Asked
from headrank.methods.table import METHODS

if TYPE_CHECKING:
    from headrank.api.passes import Beyond
    from headrank.api.ranked import RankedDocument
    from headrank.methods.request import Request

_OF_RUNS = ("run", "collection", "queries", "corpus", "order_by", "only_reranked", "answers")


def check_given(options: argparse.Namespace) -> None:
    """UsageError for options that do not go with passages of their own, or go with nothing else."""
    if not options.documents:
        for name in ("query", "top_k"):
            if getattr(options, name):
                raise UsageError(f"{spelt(name)} goes with --documents; a run has its own queries")
        return
    check_no_run(options, _OF_RUNS)
    if options.query is None:
        raise UsageError("--documents goes with --query, the text of the query")
    if options.depth == 1:
        raise UsageError("--depth 1: one passage is no ranking; give at least 2")
    check_query("--query", options.query, "rerank")


def rerank_given(options: argparse.Namespace, request: Request) -> None:
    """Rank the passages of ``--documents``; print them, or write JSON lines to ``--output``.

    request: what the options ask for. ``check_given`` has accepted the options.
    """
    # Read the small files first: a typo must not wait for the model.
    documents = read_given_documents(Path(options.documents))
    output = output_file(options.output, options) if options.output else None

    from headrank.api.reranker import Reranker
    from headrank.data.atomic import write_text

    given = {name: value for name, value in vars(request).items() if name != "spelt"}
    reranker = Reranker(**given, depth=options.depth, device=options.device, dtype=options.dtype)
    beyond: Beyond = options.beyond or "windows"
    # Where documents are only appended, leaving some out saves nothing, and all are needed to count those unread.
    wanted = None if beyond == "append" else options.top_k
    ranked = reranker.rank(options.query, documents, top_k=wanted, beyond=beyond)
    note_unread(sum(not document.reranked for document in ranked), len(documents))
    # A generative method says so itself, with its answers.
    if not isinstance(METHODS.get(reranker.ready.kind), Asked):
        note_tied_list([document.score for document in ranked if document.reranked])
    ranked = ranked[: options.top_k]
    if output:
        write_text(output, "".join(f"{json.dumps(_row(d), ensure_ascii=False)}\n" for d in ranked))
        return
    for line in _lines(ranked, columns()):
        print(encodable(line, sys.stdout.encoding))


def _row(document: RankedDocument) -> dict[str, object]:
    names = ("rank", "id", "index", "score", "relevance_score", "reranked", "title", "text")
    return {name: getattr(document, name) for name in names}


def _lines(ranked: Sequence[RankedDocument], width: int) -> Iterator[str]:
    """A line per document under one of titles: rank, score or probability of relevance, id, as much text as fits."""
    told = any(document.relevance_score is not None for document in ranked)
    rows = [("rank", "relevance" if told else "score", "id", "passage")]
    for document in ranked:
        value = document.relevance_score if told else document.score
        known = value is not None and document.reranked
        rows.append(
            (
                str(document.rank),
                (f"{value:.2f}" if told else f"{value:.4g}") if known else "–",
                clipped(str(document.id), NARROWEST),
                f"{document.title} {document.text}",
            )
        )
    first, second, third = (max(len(row[i]) for row in rows) for i in range(3))
    for rank, number, name, text in rows:
        start = f"{rank.rjust(first)}  {number.rjust(second)}  {name.ljust(third)}  "
        yield f"{start}{clipped(text, width - len(start))}".rstrip()
