"""``headrank evaluate``: the metrics of a TREC run."""

from __future__ import annotations

import argparse
from typing import Any

from headrank.commands.inputs import add_order_by, count
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
    parser.add_argument(
        "--relevance-level",
        type=count,
        help="lowest grade that counts as relevant, for all metrics that have a level and name none (default: 1)",
    )
    add_order_by(parser)
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.data.trec import read_qrels, read_run
    from headrank.evaluation.evaluate import evaluate, means
    from headrank.evaluation.metrics import at_level

    metrics = at_level(options.metrics, options.relevance_level)
    frame = evaluate(read_run(options.run, options.order_by), read_qrels(options.qrels), metrics)
    for metric, value in means(frame).items():
        print(f"{metric}\t{value:.4f}")
    print(f"queries\t{frame['qid'].nunique()}")
