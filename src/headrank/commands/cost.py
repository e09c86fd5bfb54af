"""``headrank cost``: the time and memory that reranking will take, before it starts."""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING, Any

from headrank.commands.inputs import count, part
from headrank.errors import InputError, one_line

if TYPE_CHECKING:
    from headrank.cost.predict import Rates

# List lengths on which this machine's rates are measured, the longest for attention's; how many layers of the shape;
# seconds above which a pass is measured only once.
MEASURED, LAYERS, SLOW = (4, 24, 60), 4, 10


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "cost",
        help="time and memory that reranking will take",
        description=(
            "Estimate time and memory of HeadRank's truncated pass by arithmetic and a machine's rates: those measured"
            " by `headrank bench` (--rates), those of a GPU's data sheet (--gpu), or this machine's, measured now."
        ),
    )
    parser.add_argument(
        "--backbone",
        default="qwen3-0.6b",
        help="qwen3-0.6b (default), qwen3-1.7b, qwen3-4b, quick, or a GGUF file",
    )
    parser.add_argument("--n", type=count, default=40, help="passages of a list (default: 40)")
    parser.add_argument("--words", type=count, default=100, help="words of a passage (default: 100)")
    parser.add_argument(
        "--depth", type=part, default=0.55, help="fraction of the layers that runs (default: 0.55)"
    )
    parser.add_argument("--queries", type=count, default=1, help="queries, each with one list (default: 1)")
    rates = parser.add_mutually_exclusive_group()
    rates.add_argument("--rates", help="CSV of `headrank bench`, from the machine that will do the work")
    rates.add_argument("--gpu", help="a GPU by name, such as h100")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.bench.workload import make_workload, word_tokenizer
    from headrank.cost.model_shapes import known_shape
    from headrank.cost.predict import (
        HEADS,
        ROWS,
        multiply_adds,
        pass_bytes,
        pass_seconds,
        training_bytes,
        weight_bytes,
    )

    shape = known_shape(options.backbone)
    layers = max(1, round(options.depth * shape.layers))
    prompt = make_workload(word_tokenizer(), options.n, options.words).prompt
    tokens = len(prompt.prefix) + len(prompt.query.ids)
    rates = _rates(options)
    seconds = pass_seconds(shape, layers, tokens, rates)
    operations = 2 * sum(multiply_adds(shape, layers, tokens, ROWS, HEADS))
    print(f"{options.backbone}, {layers} of {shape.layers} layers, {options.n} passages, {tokens} tokens")
    print(
        f"rates       {rates.products / 1e12:.3g} TFLOP/s of products, {rates.attention / 1e12:.3g} of attention"
        f" ({rates.source})"
    )
    print(f"operations  {operations / 1e12:.2f} TFLOP a list")
    print(
        f"time        {seconds:.3g} s a list, {seconds * options.queries / 3600:.3g} h for {options.queries}"
    )
    held = weight_bytes(shape, layers)
    device = "cuda" if options.gpu else "cpu"
    taken = pass_bytes(shape, tokens, device=device)
    trained = training_bytes(shape, layers - 1, tokens, device=device)
    print(
        f"memory      {held / 1e9:.2f} GB of weights in 16 bits, {taken / 1e9:.2f} GB of a pass beyond them,"
        f" {trained / 1e9:.2f} GB of one with gradients"
    )


def _rates(options: argparse.Namespace) -> Rates:
    from headrank.cost.predict import assumed_rates

    if options.gpu:
        return assumed_rates(options.gpu)
    if not options.rates:
        return _measured(options)

    from headrank.cost.machine_rates import fit_rates
    from headrank.cost.model_shapes import known_shape
    from headrank.data.frames import read_csv

    rounds = read_csv(options.rates, "measurement", "give a CSV of `headrank bench`")
    try:
        own = rounds[rounds["backbone"] == options.backbone]
        # Larger models come closer to a machine's rate, so a backbone's own passes predict best.
        rounds = own if len(own) else rounds
        shapes = {name: known_shape(name) for name in rounds["backbone"].unique()}
        rates = fit_rates(rounds, shapes, options.rates)
    # Cells that hold something else than numbers.
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        reason = one_line(error)
        raise InputError(f"{options.rates}: not a measurement of `headrank bench` ({reason})") from error
    if not all(math.isfinite(rate) and rate > 0 for rate in (rates.products, rates.attention)):
        raise InputError(f"{options.rates}: its times give no rates; measure again")
    return rates


def _measured(options: argparse.Namespace) -> Rates:
    """This machine's rates, from a few layers of the shape on lists of several lengths."""
    import pandas as pd

    from headrank.bench.contenders import Bench
    from headrank.bench.measure import contenders, measure
    from headrank.bench.shapes import random_backbone
    from headrank.bench.workload import make_workload, word_tokenizer
    from headrank.cost.machine_rates import fit_rates
    from headrank.cost.model_shapes import known_shape
    from headrank.engine.devices import choose_device
    from headrank.generative.chat import Chat
    from headrank.settings import Settings

    told = "measuring what this machine computes, which takes minutes; --rates and --gpu take known rates instead"
    print(told, file=sys.stderr, flush=True)
    backbone = random_backbone(options.backbone, word_tokenizer(), device=choose_device(), layers=LAYERS)
    frames = []
    for n in MEASURED:
        bench = Bench(
            backbone, make_workload(backbone.tokenizer, n, 100), Chat(backbone.tokenizer), Settings()
        )
        frames.append(measure(bench, contenders(bench, ["headrank"], [1.0]), 3, SLOW))
    return fit_rates(
        pd.concat(frames), {options.backbone: known_shape(options.backbone)}, "measured here, now"
    )
