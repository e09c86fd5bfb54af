"""``headrank fuse``: one TREC run from several."""

from __future__ import annotations

import argparse
from typing import Any

from headrank.commands.inputs import add_order_by, output_file, whole
from headrank.commands.notes import note_missing
from headrank.errors import UsageError


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "fuse",
        help="one TREC run from several, by reciprocal rank",
        description="Fuse TREC runs by reciprocal rank: a document's score is the sum of 1 / (k + its rank).",
    )
    parser.add_argument(
        "--run", nargs="+", required=True, help="TREC runs, plain or .gz; the first breaks ties"
    )
    parser.add_argument("-k", type=whole(0), default=60, help="the constant k (default: 60)")
    add_order_by(parser)
    parser.add_argument("--output", required=True, help="the fused TREC run")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.data.trec import read_run, write_run
    from headrank.retrieval.fusion import reciprocal_rank_fusion

    if len(options.run) < 2:
        raise UsageError("--run: name at least two runs to fuse")
    output = output_file(options.output, options)
    runs = [read_run(path, options.order_by) for path in options.run]
    note_missing(options.run, runs)
    write_run(output, reciprocal_rank_fusion(runs, options.k), "fused")
