"""``headrank``: the trained reranker on files, for people without Snakemake."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from headrank.errors import InputError

BAD_INPUT = 5


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="headrank", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    rerank = commands.add_parser(
        "rerank",
        help="rerank a TREC run with a trained adapter",
        description="Rerank the candidates of a TREC run with a trained HeadRank adapter and write a TREC run.",
    )
    rerank.add_argument("--adapter", required=True, help="folder that training wrote")
    rerank.add_argument(
        "--backbone", help="base model: folder or hub id (default: the one the adapter names)"
    )
    rerank.add_argument("--collection", required=True, help="folder with corpus.jsonl and queries.jsonl")
    rerank.add_argument("--run", required=True, help="candidates: a TREC run, plain or .gz")
    rerank.add_argument("--output", required=True, help="the TREC run to write")
    rerank.add_argument("--depth", type=_count, help="candidates per query (default: as in training)")
    rerank.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    rerank.add_argument("--dtype", default="auto", help="auto, float32, bfloat16 or float16 (default: auto)")
    evaluate = commands.add_parser(
        "evaluate",
        help="nDCG@10 of a TREC run",
        description="Print the metrics of a TREC run against judgements.",
    )
    evaluate.add_argument("--run", required=True, help="a TREC run, plain or .gz")
    evaluate.add_argument("--qrels", required=True, help="TREC judgements")
    evaluate.add_argument(
        "--metrics",
        nargs="+",
        default=["ndcg@10", "recall@100"],
        help="ndcg@K, recall@K, precision@K, judged@K, map, rr, rr@K (default: ndcg@10 recall@100)",
    )
    return top


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; bad input ends in one line on standard error and exit status 5."""
    options = parser().parse_args(arguments)
    try:
        return _rerank(options) if options.command == "rerank" else _evaluate(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
    return BAD_INPUT


def _rerank(options: argparse.Namespace) -> int:
    # Read the small files first: a typo must not wait for the model.
    from headrank.collections import open_collection
    from headrank.runs import read_run, write_run

    output = Path(options.output)
    if output.is_dir():
        raise InputError(f"{output}: is a folder; name the run file to write")
    output.parent.mkdir(parents=True, exist_ok=True)
    run = read_run(options.run)
    collection = open_collection("collection", {"source": "local", "path": options.collection})
    queries = collection.queries()
    passages = collection.lookup({docid for ranked in run.values() for docid, _ in ranked})

    from headrank.reranker import Reranker
    from headrank.rerankers import as_run, gather_candidates

    reranker = Reranker.load(options.adapter, options.backbone, options.dtype, options.device)
    depth = options.depth or reranker.settings.candidates.depth
    beyond = sum(max(len(ranked) - depth, 0) for ranked in run.values())
    if beyond:
        print(f"{beyond} candidates beyond the first {depth} of their query are left out", file=sys.stderr)
    candidates = gather_candidates(queries, run, passages, depth)
    write_run(options.output, as_run(reranker.rerank_all(candidates)), "headrank")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from headrank.evaluation import evaluate, means
    from headrank.runs import read_qrels, read_run

    frame = evaluate(read_run(options.run), read_qrels(options.qrels), options.metrics)
    for metric, value in means(frame).items():
        print(f"{metric}\t{value:.4f}")
    print(f"queries\t{frame['qid'].nunique()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
