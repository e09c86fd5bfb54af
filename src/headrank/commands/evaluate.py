"""``headrank evaluate``: the metrics of a TREC run."""

from __future__ import annotations

import argparse
from typing import Any

from headrank.evaluation.metrics import spellings


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "evaluate",
        help="metrics of a TREC run",
        description="Print the metrics of a TREC run against judgements.",
    )
    parser.add_argument("--run", required=True, help="a TREC run, plain or .gz")
    parser.add_argument("--qrels", required=True, help="TREC judgements")
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=["ndcg@10", "recall@100"],
        help=f"{', '.join(spellings())}, with a relevance level as in rr(rel=2)@10 (default: ndcg@10 recall@100)",
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.data.trec import read_qrels, read_run
    from headrank.evaluation.evaluate import evaluate, means

    frame = evaluate(read_run(options.run), read_qrels(options.qrels), options.metrics)
    for metric, value in means(frame).items():
        print(f"{metric}\t{value:.4f}")
    print(f"queries\t{frame['qid'].nunique()}")
