"""Measuring: contenders in turn, round after round, so that a machine that slows down slows all of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from headrank.bench.alternatives import matrix_bytes
from headrank.bench.contenders import (
    Bench,
    Contender,
    at_depth,
    different,
    frozen,
    generative,
    matrix_product,
    with_counts,
)
from headrank.bench.memory import peak_memory
from headrank.bench.training import training
from headrank.cost.measured import COLUMNS, GENERATIVE, TRAINING

# Seconds beyond which a contender runs only once by default; this first run counts as its round.
SLOW = 60.0
logger = logging.getLogger(__name__)


def contenders(bench: Bench, names: Sequence[str], depths: Sequence[float]) -> list[Contender]:
    """The requested contenders, the truncated ones once per depth, and the machine's rate."""
    found = [
        c for depth in different(depths, bench.backbone) for c in at_depth(bench, depth) if c.name in names
    ]
    found += [c for c in frozen(bench) if c.name in names and _fits(c, bench)]
    found += [generative(bench, name) for name in GENERATIVE if name in names]
    if set(TRAINING) & set(names):
        found += [c for c in training(bench, max(depths)) if c.name in names]
    return [*found, matrix_product(bench)]


def measure(bench: Bench, chosen: Sequence[Contender], rounds: int, slow: float = SLOW) -> pd.DataFrame:
    """One row per contender and round, ``COLUMNS``: seconds when warm, memory in bytes beyond the model's own.

    Every contender runs once beforehand, to measure its memory and to get warm. One that takes longer than ``slow``
    seconds does not run again; this run counts as its first round. The order changes from round to round.
    """
    weight = next(bench.backbone.model.parameters())
    device = weight.device
    ready: list[tuple[Contender, float, float]] = []
    for contender in chosen:
        begin = time.perf_counter()
        with torch.inference_mode(not contender.training):
            result, memory = peak_memory(contender.run, device)
        taken = time.perf_counter() - begin
        ready.append((with_counts(contender, bench, result), memory, taken))
        del result
        logger.info("%s, %d layers: %.2f s the first time", contender.name, contender.layers, taken)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(1, rounds + 1):
        seconds = {place: taken for place, (_, _, taken) in enumerate(ready) if number == 1 and taken >= slow}
        for place in rng.permutation(len(ready)):
            if ready[place][2] < slow:
                seconds[place] = timed(ready[place][0], device)
        for place in sorted(seconds):
            contender, memory, _ = ready[place]
            rows.append(
                (
                    *(bench.backbone.name, str(weight.dtype).removeprefix("torch."), device.type),
                    *(torch.get_num_threads(), len(bench.workload.documents), bench.workload.passage_tokens),
                    *(contender.name, contender.layers, contender.depth, contender.passes, contender.tokens),
                    *(contender.operations, memory, number, seconds[place]),
                )
            )
        logger.info("round %d of %d", number, rounds)
    return pd.DataFrame(rows, columns=COLUMNS)


def timed(contender: Contender, device: torch.device) -> float:
    """Seconds of one run."""
    with torch.inference_mode(not contender.training):
        begin = time.perf_counter()
        contender.run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def _fits(contender: Contender, bench: Bench) -> bool:
    """Whether the matrices of tokens x tokens that eager attention makes fit the memory that is free."""
    needed = matrix_bytes(bench.backbone, bench.workload.prompt).get(contender.name, 0)
    free = _free(next(bench.backbone.model.parameters()).device)
    if needed > free:
        logger.warning(
            "%s left out: its matrices take %.0f GB, %.0f GB are free",
            contender.name,
            needed / 1e9,
            free / 1e9,
        )
    return needed <= free


def _free(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    return next(
        (float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), float("inf")
    )
