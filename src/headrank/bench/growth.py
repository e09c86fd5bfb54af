"""How time and memory of HeadRank's pass grow with one size, the others fixed, compared with the arithmetic."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from headrank.bench.contenders import Bench, at_depth
from headrank.bench.measure import timed
from headrank.bench.memory import peak_memory
from headrank.bench.workload import make_workload
from headrank.cost.measured import GROWTH_COLUMNS, SIZES
from headrank.cost.predict import layer_parameters, multiply_adds, pass_bytes, weight_bytes
from headrank.engine.backbone import Backbone
from headrank.errors import UsageError
from headrank.generative.chat import Chat
from headrank.settings import Settings

DEPTHS = (0.25, 0.4, 0.55, 0.75, 1.0)
FACTORS = (0.25, 0.5, 1.0, 2.0)
LISTS = (1, 2, 4)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Point:
    """What one pass reads. n: passages of a list; words: of a passage; lists: packed into the pass."""

    n: int = 20
    words: int = 100
    depth: float = 0.55
    lists: int = 1


def points(base: Point, varied: Sequence[str]) -> list[tuple[str, Point]]:
    """(size that is varied, point), the base among each size's points. Raises InputError for an unknown size."""
    series: dict[str, Sequence[Any]] = {
        "n": [max(1, round(base.n * f)) for f in FACTORS],
        "words": [max(1, round(base.words * f)) for f in FACTORS],
        "depth": sorted({*DEPTHS, base.depth}),
        "lists": LISTS,
    }
    unknown = [name for name in varied if name not in series]
    if unknown:
        raise UsageError(f"bench: no size {unknown[0]!r}; known: {', '.join(SIZES)}")
    return [("base", base)] + [
        (name, replace(base, **{name: value})) for name in varied for value in dict.fromkeys(series[name])
    ]


def measure_growth(backbone: Backbone, base: Point, varied: Sequence[str], rounds: int) -> pd.DataFrame:
    """A frame of ``headrank.cost.measured.GROWTH_COLUMNS``: every point once a round, in an order that changes.

    products, attention: multiply-adds; predicted_memory, weight_memory: bytes (all ``headrank.cost.predict``). A
    point that belongs to several sizes is measured once and has a row for each.
    """
    wanted = points(base, varied)
    weight = next(backbone.model.parameters())
    benches = {point: _bench(backbone, point) for point in dict.fromkeys(point for _, point in wanted)}
    runs = {point: at_depth(bench, point.depth)[0] for point, bench in benches.items()}
    memory = {}
    with torch.inference_mode():
        for point, contender in runs.items():
            memory[point] = peak_memory(contender.run, weight.device)[1]
            logger.info("%s", point)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(1, rounds + 1):
        turns = [list(runs)[place] for place in rng.permutation(len(runs))]
        seconds = {point: timed(runs[point], weight.device) for point in turns}
        for size, point in wanted:
            bench, contender = benches[point], runs[point]
            rows_read = _rows(bench)
            products, attention = multiply_adds(
                bench.shape, contender.layers, bench.tokens, rows_read, bench.settings.selection.k
            )
            rows.append(
                {
                    "backbone": backbone.name,
                    "dtype": str(weight.dtype).removeprefix("torch."),
                    "device": weight.device.type,
                    "threads": torch.get_num_threads(),
                    "varied": size,
                    **asdict(point),
                    "layers": contender.layers,
                    "tokens": contender.tokens,
                    "products": products * point.lists,
                    "attention": attention * point.lists,
                    "weights": contender.layers * layer_parameters(bench.shape),
                    "memory": memory[point],
                    "predicted_memory": pass_bytes(
                        bench.shape, contender.tokens, weight.element_size(), weight.device.type
                    ),
                    "weight_memory": weight_bytes(bench.shape, contender.layers, weight.element_size()),
                    "round": number,
                    "seconds": seconds[point],
                }
            )
        logger.info("round %d of %d", number, rounds)
    return pd.DataFrame(rows, columns=GROWTH_COLUMNS)


def _bench(backbone: Backbone, point: Point) -> Bench:
    workload = make_workload(backbone.tokenizer, point.n, point.words)
    return Bench(backbone, workload, Chat(backbone.tokenizer), Settings(), point.lists)


def _rows(bench: Bench) -> int:
    start, stop = bench.workload.prompt.query.rows(bench.settings.query_span)
    return stop - start
