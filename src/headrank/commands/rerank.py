"""``headrank rerank``: any method on files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from headrank.commands.inputs import (
    add_candidates,
    add_model,
    count,
    output_file,
    read_candidates,
)
from headrank.commands.method_options import add_method, add_prompt, asked_for
from headrank.commands.notes import note_depth, note_queries, note_ties
from headrank.errors import UsageError
from headrank.methods.entry import Asked
from headrank.methods.table import METHODS


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "rerank",
        help="rerank a TREC run with any method",
        description=(
            "Rerank the candidates of a TREC run and write a TREC run. Trained methods need --adapter, the folder that"
            " training wrote. Methods on chosen heads need --heads, a file from `headrank heads detect`. The others"
            " need only --backbone. `headrank methods` lists them."
        ),
    )
    add_method(parser)
    add_candidates(parser)
    parser.add_argument("--output", required=True, help="the TREC run to write")
    parser.add_argument(
        "--depth",
        type=count,
        help="candidates per query that are reranked; the others follow behind (default: 40, or as in training)",
    )
    parser.add_argument("--only-reranked", action="store_true", help="leave out candidates beyond --depth")
    add_prompt(parser)
    parser.add_argument("--answers", help="keep a generative method's answers here (.jsonl.gz)")
    add_model(parser)
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.data.trec import write_run

    request = asked_for(options)
    if options.answers and not isinstance(METHODS.get(options.method or ""), Asked):
        raise UsageError(f"--method {options.method}: writes no answers; leave --answers out")
    # Read the small files first: a typo must not wait for the model.
    output = output_file(options.output)
    queries, candidates_run, passages = read_candidates(options)
    note_queries(candidates_run, queries)

    from headrank.data.rankings import with_rest
    from headrank.generative.calls import write_calls
    from headrank.methods.ready import depth_of, make_ready
    from headrank.rerankers import as_run, gather_candidates

    depth = options.depth or depth_of(request)
    note_depth(candidates_run, depth, options.only_reranked)
    candidates = gather_candidates(queries, candidates_run, passages, depth)
    ready = make_ready(
        request,
        dtype=options.dtype,
        device=options.device,
        benchmark=Path(options.collection).name if options.collection else "",
        calls=(lambda calls: write_calls(output_file(options.answers), calls)) if options.answers else None,
    )
    ranking = ready.rank(candidates)
    # A generative method says so itself, with its answers.
    if not isinstance(METHODS.get(ready.kind), Asked):
        note_ties(ranking)
    reranked = as_run(ranking)
    whole = reranked if options.only_reranked else with_rest(reranked, candidates_run)
    write_run(output, whole, ready.name)
