"""``headrank rerank``: any method on files, a run of many queries or the passages of one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.commands.given_documents import add_documents
from headrank.commands.inputs import (
    add_candidates,
    add_model,
    count,
    output_file,
    read_candidates,
)
from headrank.commands.method_options import add_method, add_prompt, asked_for, spelt
from headrank.commands.notes import note_depth, note_queries, note_tied_passes, note_ties
from headrank.commands.rerank_given import check_given, rerank_given
from headrank.errors import UsageError
from headrank.methods.entry import Asked
from headrank.methods.table import METHODS

if TYPE_CHECKING:
    import pandas as pd

    from headrank.api.passes import Beyond
    from headrank.data.trec import Run
    from headrank.methods.ready import Ready
    from headrank.methods.request import Request
    from headrank.rerankers.candidates import Candidates


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "rerank",
        help="rerank a TREC run, or a file of passages, with any method",
        description=(
            "Rerank the candidates of a TREC run and write a TREC run (--run, --collection, --output), or rank the"
            " passages of one query and print them (--query, --documents). Trained methods need --adapter, the folder"
            " that training wrote. Methods on chosen heads need --heads, a file from `headrank heads detect`. The"
            " others need only --backbone. `headrank methods` lists them."
        ),
    )
    add_method(parser)
    add_candidates(parser, required=False)
    parser.add_argument("--query", help="with --documents: the text of the query")
    add_documents(parser)
    parser.add_argument(
        "--output",
        help="the TREC run to write; with --documents, JSON lines (default: passages are printed to be read)",
    )
    parser.add_argument("--top-k", type=count, help="with --documents: only the best, this many")
    parser.add_argument(
        "--depth",
        type=count,
        help="candidates that one pass reads (default: 40, or as in training)",
    )
    parser.add_argument(
        "--beyond",
        choices=["append", "windows", "tournament"],
        help=(
            "what becomes of candidates beyond the depth: they follow behind unread, as in a study; all are read in"
            " overlapping windows; or all in groups whose best go on (default: append; with --documents, windows)"
        ),
    )
    parser.add_argument("--only-reranked", action="store_true", help="leave out candidates beyond --depth")
    add_prompt(parser)
    parser.add_argument("--answers", help="keep a generative method's answers here (.jsonl.gz)")
    add_model(parser)
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    request = asked_for(options)
    check_given(options)
    if options.documents:
        rerank_given(options, request)
    else:
        _rerank_run(options, request)


def _rerank_run(options: argparse.Namespace, request: Request) -> None:
    _check_of_run(options)
    # Read the small files first: a typo must not wait for the model.
    output = output_file(options.output, options)
    queries, candidates_run, passages = read_candidates(options)
    note_queries(candidates_run, queries)

    from headrank.data.rankings import with_rest
    from headrank.data.trec import write_run
    from headrank.generative.calls import write_calls
    from headrank.methods.ready import depth_of, located, make_ready
    from headrank.rerankers import as_run, gather_candidates

    request = located(request)
    depth = options.depth or depth_of(request)
    in_passes = options.beyond in ("windows", "tournament")
    if not in_passes:
        note_depth(candidates_run, depth, options.only_reranked)
    read = max(map(len, candidates_run.values()), default=0) if in_passes else depth
    candidates = gather_candidates(queries, candidates_run, passages, read)
    ready = make_ready(
        request,
        dtype=options.dtype,
        device=options.device,
        benchmark=Path(options.collection).name if options.collection else "",
        calls=(lambda calls: write_calls(output_file(options.answers, options), calls))
        if options.answers
        else None,
    )
    if in_passes:
        write_run(output, _in_passes(ready, depth, candidates, options.beyond), ready.name)
        return
    ranking = ready.rank(candidates)
    # A generative method says so itself, with its answers.
    if not isinstance(METHODS.get(ready.kind), Asked):
        note_ties(ranking)
    reranked = as_run(ranking)
    whole = reranked if options.only_reranked else with_rest(reranked, candidates_run)
    write_run(output, whole, ready.name)


def _check_of_run(options: argparse.Namespace) -> None:
    """UsageError for options that do not go together, or that are missing, where a run is reranked."""
    if not options.run:
        raise UsageError(
            "give --run with --collection (or --queries and --corpus), or --query with --documents"
        )
    if not options.output:
        raise UsageError("--output: name the TREC run to write")
    if options.answers and not isinstance(METHODS.get(options.method or ""), Asked):
        raise UsageError(f"--method {options.method}: writes no answers; leave --answers out")
    if options.beyond in ("windows", "tournament"):
        for name in ("only_reranked", "answers"):
            if getattr(options, name):
                raise UsageError(
                    f"--beyond {options.beyond}: does not go with {spelt(name)}; leave one of them out"
                )


def _in_passes(ready: Ready, depth: int, candidates: Sequence[Candidates], beyond: Beyond) -> Run:
    """All candidates, reranked in as many passes as they take."""
    from headrank.api.passes import rank_in_passes
    from headrank.data.rankings import falling_run, tied

    tied_passes = made = 0

    def rank(asked: Sequence[Candidates]) -> pd.DataFrame:
        nonlocal tied_passes, made
        frame = ready.rank(asked)
        tied_passes, made = tied_passes + len(tied(frame)), made + len(asked)
        return frame

    rankings = rank_in_passes(
        ready, depth, rank, candidates, top_k=None, beyond=beyond, progress=True, explain=False
    )
    note_tied_passes(tied_passes, made)
    return {
        c.qid: falling_run((c.documents[read.place].docid, read.score) for read in ranking)
        for c, ranking in zip(candidates, rankings, strict=True)
    }
