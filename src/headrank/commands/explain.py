"""``headrank explain``: a page that shows why the passages of one query have their ranks."""

from __future__ import annotations

import argparse
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.commands.given_documents import add_documents, check_no_run, read_given_documents
from headrank.commands.inputs import (
    add_candidates,
    add_model,
    check_texts,
    count,
    output_file,
    read_judgements,
    read_texts,
)
from headrank.commands.method_options import add_method, add_prompt, asked_for
from headrank.commands.notes import note_read
from headrank.errors import InputError, UsageError, shown
from headrank.explain.explainable import check_explainable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrank.data.collections import Document
    from headrank.explain.page_data import State, Told
    from headrank.methods.request import Request
    from headrank.rerankers.candidates import Candidates


@dataclass(frozen=True)
class Question:
    """What is asked: a query with its documents in first-stage order.

    qid: None for a text. grades: of the judged documents, at most ``highest``; None where the query is not judged.
    """

    qid: str | None
    query: str
    documents: Sequence[Document]
    grades: Mapping[str, int] | None = None
    highest: int = 0


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "explain",
        help="write a page that shows why passages rank as they do",
        description=(
            "Rank the candidates of one query and write a page that shows what each of their words adds to their"
            " scores, under each chosen head; for an adapter, before and after training. The page is one file that"
            " needs no server and loads nothing. With --documents, --query is any text, and no run is needed."
        ),
    )
    parser.add_argument(
        "--query", required=True, help="a query of the run, by its id or its text; any text with --documents"
    )
    add_method(parser)
    add_candidates(parser, required=False)
    add_documents(parser)
    parser.add_argument("--qrels", help="TREC judgements (default: the collection's qrels.trec, if any)")
    parser.add_argument("--output", required=True, help="the page to write, such as page.html")
    parser.add_argument(
        "--depth", type=count, help="how many candidates are read (default: 40, or as in training)"
    )
    add_prompt(parser)
    add_model(parser)
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    request = asked_for(options)
    check_explainable(request.method)
    output = output_file(options.output, options)
    question = _question(options)

    from headrank.explain.page import write_page
    from headrank.explain.page_data import page_data
    from headrank.methods.ready import depth_of, located
    from headrank.process.progress import whole_job
    from headrank.rerankers.candidates import Candidates

    request = located(request)
    read = question.documents[: options.depth or depth_of(request)]
    note_read(len(read), len(question.documents))
    candidates = Candidates(question.qid or "query", question.query, tuple(read))
    # One model at a time is in memory. The passes of both count on one bar, which also shows that loading has begun.
    with whole_job(2 if request.adapter else 1, "explain", "pass"):
        before = (
            [_state(options, request, question, candidates, untrained=True)[0]] if request.adapter else []
        )
        after, told = _state(options, request, question, candidates)
    first_stage = [document.docid for document in read]
    write_page(output, page_data(told, [*before, after], first_stage, question.grades, question.highest))


def _state(
    options: argparse.Namespace,
    request: Request,
    question: Question,
    candidates: Candidates,
    untrained: bool = False,
) -> tuple[State, Told]:
    """What a model makes of the candidates, and what the page says of it."""
    from headrank import __version__
    from headrank.explain.account import account_of
    from headrank.explain.page_data import State, Told
    from headrank.explain.rank import rank_explained
    from headrank.methods.ready import make_ready
    from headrank.tables.names import method_name

    ready = make_ready(
        request,
        dtype=options.dtype,
        device=options.device,
        benchmark=Path(options.collection).name if options.collection else "",
        untrained=untrained,
    )
    assert ready.method is not None
    frame, found = rank_explained(ready, [candidates])
    ranks = {str(docid): int(rank) + 1 for docid, rank in zip(frame["docid"], frame["rank"], strict=True)}
    name = ("before training" if untrained else "after training") if request.adapter else ""
    state = State(name, {docid: one for (_, docid), one in found.items()}, ranks)
    read, of = len(candidates.documents), len(question.documents)
    beyond = [f"The first {read} of {of} candidates are read; the others are not on this page."]
    notes = [*(beyond if of > read else []), f"Made by headrank {__version__}."]
    model = ready.backbone.name
    shown_model = Path(model).name if Path(model).exists() else model
    account = account_of(ready.method)
    return state, Told(question.query, question.qid, method_name(ready.name), shown_model, account, notes)


def _question(options: argparse.Namespace) -> Question:
    from headrank.data.beir import check_query
    from headrank.data.trec import read_run

    if options.documents:
        check_no_run(options, ("run", "collection", "queries", "corpus", "qrels", "order_by"))
        check_query("--query", options.query, "explain")
        return Question(None, options.query, read_given_documents(Path(options.documents)))
    if not options.run:
        raise UsageError(
            "--run with --collection (or --queries and --corpus), or --documents: give one of them"
        )
    check_texts(options)
    run = read_run(options.run, options.order_by)
    qid = options.query if options.query in run else _by_text(options, set(run))
    queries, passages = read_texts(options, {docid for docid, _ in run[qid]})
    if qid not in queries:
        raise InputError(f"{options.queries or options.collection}: query {qid!r} of the run is not there")
    check_query(qid, queries[qid], options.queries or options.collection)
    absent = [docid for docid, _ in run[qid] if docid not in passages]
    if absent:
        raise InputError(f"{options.corpus}: passage {absent[0]} of the run is not there; name its corpus")
    qrels = read_judgements(options) or {}
    highest = max((grade for judged in qrels.values() for grade in judged.values()), default=0)
    documents = [passages[docid] for docid, _ in run[qid]]
    return Question(qid, queries[qid], documents, qrels.get(qid), highest)


def _by_text(options: argparse.Namespace, qids: set[str]) -> str:
    """The id of the query with this text; UsageError if there is none."""
    queries, _ = read_texts(options, set())
    same = (qid for qid, text in queries.items() if qid in qids and text.strip() == options.query.strip())
    if (qid := next(same, None)) is not None:
        return qid
    where = f"--query {shown(options.query)}"
    if options.query in queries:
        raise UsageError(f"{where}: {options.run} has no candidates for this query")
    close = difflib.get_close_matches(options.query, sorted(qids), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"its ids are such as {min(qids, default='')!r}."
    raise UsageError(f"{where}: no query of {options.run}; {hint} Another text needs --documents")
