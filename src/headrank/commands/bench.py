"""``headrank bench``: compares every way to score a list, on this machine."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, Any

from headrank.commands.inputs import count, output_file, part, real, whole

if TYPE_CHECKING:
    import pandas as pd

LENGTHS, DEPTHS = (10, 20, 40), (0.4, 0.5, 0.55, 0.6, 1.0)


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "bench",
        help="compare HeadRank's time and memory with every alternative, on this machine",
        description=(
            "Score one list by HeadRank's truncated pass and by every alternative, in turn, in one run, and print"
            " ratios. Without a checkpoint the backbone has the true shape and random weights; this changes no times."
        ),
    )
    parser.add_argument(
        "--backbone",
        default="qwen3-0.6b",
        help=(
            "qwen3-0.6b (default), qwen3-1.7b, qwen3-4b or quick: a shape with random weights; or a folder, GGUF file"
            " or hub id"
        ),
    )
    parser.add_argument("--tokenizer", help="folder of a tokenizer for a shape (default: one of whole words)")
    parser.add_argument("--n", type=count, nargs="+", help="passages (default: 10 20 40)")
    parser.add_argument("--words", type=count, default=100, help="words of a passage (default: 100)")
    parser.add_argument(
        "--depths", type=part, nargs="+", help="fractions of the layers (default: 0.4 0.5 0.55 0.6 1)"
    )
    parser.add_argument(
        "--methods", nargs="+", help="methods to measure (default: all; see docs/performance.md)"
    )
    parser.add_argument(
        "--training",
        action="store_true",
        help="measure training steps instead of reranking, at the greatest depth",
    )
    parser.add_argument(
        "--growth",
        nargs="*",
        metavar="SIZE",
        help=(
            "only HeadRank's pass, with one size varied at a time (n, words, depth, lists; default: all) around the"
            " first --n and the first --depths (default: 20 and 0.55)"
        ),
    )
    parser.add_argument("--rounds", type=count, default=5, help="how often each is measured (default: 5)")
    parser.add_argument(
        "--slow",
        type=real(0),
        default=60.0,
        metavar="SECONDS",
        help="whatever takes longer runs only once, and that run counts (default: 60)",
    )
    parser.add_argument("--threads", type=whole(1, 4096), help="processor threads (default: PyTorch's own)")
    parser.add_argument("--dtype", default="bfloat16", help="weights: bfloat16 (default), float32 or float16")
    parser.add_argument(
        "--device", default="auto", help="auto (default: a GPU where there is one), cpu, cuda"
    )
    parser.add_argument("--output", help="CSV of every round; a .json next to it describes the machine")
    parser.add_argument(
        "--check",
        type=real(0),
        metavar="MARGIN",
        help="exit with status 1 if a ratio misses its goal by more than this fraction of it",
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    import torch

    from headrank.bench.goals import outcomes
    from headrank.bench.plan import Plan, measure_plan, measure_plan_growth
    from headrank.bench.record import write_rounds
    from headrank.cost.measured import NAMES, SIZES, TRAINING

    output = output_file(options.output, options) if options.output else None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    growing = options.growth is not None
    plan = Plan(
        options.backbone,
        tuple(options.n or ([20] if growing else LENGTHS)),
        options.words,
        tuple(options.depths or ([0.55] if growing else DEPTHS)),
        tuple(options.methods or (TRAINING if options.training else NAMES)),
        options.rounds,
        options.dtype,
        options.device,
        options.tokenizer,
        options.slow,
    )
    rounds = measure_plan_growth(plan, options.growth or SIZES) if growing else measure_plan(plan)
    if output:
        write_rounds(rounds, output, output.with_suffix(".json"))
    if growing:
        print(_growth(rounds))
        return 0
    print(_report(rounds))
    found = outcomes(rounds, options.check or 0.0)
    print("\n".join(map(str, found)))
    return 1 if options.check is not None and not all(o.kept for o in found) else 0


def _growth(rounds: pd.DataFrame) -> str:
    from headrank.cost.exponents import exponents, medians
    from headrank.cost.measured import SIZE_TITLES

    lines = ["exponents (by arithmetic), and how far the arithmetic is off at most"]
    for row in exponents(medians(rounds)).to_dict("records"):
        span = f"{row['smallest']:g} to {row['largest']:g}"
        lines.append(
            f"  {SIZE_TITLES[row['varied']]:<18}{span:>14}  time {row['seconds']:.2f} ({row['predicted_seconds']:.2f}),"
            f" {row['time_error']:.0%}; memory {row['memory']:.2f} ({row['predicted_memory']:.2f}),"
            f" {row['memory_error']:.0%}"
        )
    return "\n".join(lines)


def _report(rounds: pd.DataFrame) -> str:
    from headrank.cost.ratios import summarise

    titles = ("method", "layers", "times", "seconds", "(least - most)", "GB", "of rate")
    lines = []
    for (backbone, n), rows in summarise(rounds).groupby(["backbone", "n"], sort=False):
        lines.append(f"{backbone}, {n} passages of {rows['passage_tokens'].iloc[0]} tokens")
        lines.append("  {:<16}{:>7}{:>9}{:>10}{:>18}{:>7}{:>9}".format(*titles))
        for row in rows.to_dict("records"):
            spread = f"{row['fastest']:.3f} - {row['slowest']:.3f}"
            share = "" if row["share"] != row["share"] else f"{row['share']:.0%}"
            times = "" if row["times"] != row["times"] else f"{row['times']:.2f}"
            lines.append(
                f"  {row['method']:<16}{row['layers']:>7}{times:>9}{row['seconds']:>10.3f}{spread:>18}"
                f"{row['memory'] / 1e9:>7.2f}{share:>9}"
            )
    return "\n".join(lines)
