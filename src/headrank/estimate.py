"""How long a truncated pass takes and what memory, from its arithmetic and a machine's two rates.

Both rates are measured (``headrank.bench``) or, for a GPU that is not at hand, a stated part of its data sheet's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headrank.cost import Shape, deepest_layer_operations, layer_operations
from headrank.errors import InputError

# Dense bfloat16 matrix products, operations a second, as the makers' data sheets state them.
GPUS: Mapping[str, float] = {
    "a10": 125e12,
    "a100": 312e12,
    "l40s": 362e12,
    "rtx4090": 165e12,
    "h100": 989e12,
    "h200": 989e12,
}
# Of a data sheet's rate, what is assumed to be reached; no GPU was at hand to measure it.
ASSUMED = 0.4
# Query rows and heads that a pass reads: little beside the rest, so that round numbers do.
ROWS, HEADS = 32, 8


@dataclass(frozen=True)
class Rates:
    """Operations a second (two a multiply-add): of products with weights, all that is done token by token counted in,
    and of attention. source: where they are from, for people.
    """

    products: float
    attention: float
    source: str


def multiply_adds(shape: Shape, layers: int, tokens: float, rows: float, heads: int) -> tuple[float, float]:
    """(products with weights, attention) of a pass that ends inside layer ``layers``, reading ``rows`` of its heads."""
    q = shape.heads * shape.head_dim
    attention = tokens * (tokens + 1) / 2 * q * 2
    read = rows * tokens * heads * shape.head_dim
    products = (layers - 1) * (layer_operations(shape, tokens) - attention)
    products += deepest_layer_operations(shape, tokens, rows, heads) - read
    return products, (layers - 1) * attention + read


def pass_seconds(
    shape: Shape, layers: int, tokens: float, rates: Rates, rows: float = ROWS, heads: int = HEADS
) -> float:
    """Seconds of one truncated pass over one list."""
    products, attention = multiply_adds(shape, layers, tokens, rows, heads)
    return 2 * products / rates.products + 2 * attention / rates.attention


def pass_bytes(shape: Shape, tokens: float, width: int = 2) -> float:
    """Memory of a pass beyond the weights, at its most: where queries are turned by their positions.

    The residual stream and its norm, the queries with three temporaries of their size, keys and values.
    """
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return tokens * width * (2 * shape.hidden + 4 * q + 2 * kv)


def weight_bytes(shape: Shape, layers: int, width: int = 2) -> float:
    """Memory of the embedding and the first ``layers``; norms are left out."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    layer = shape.hidden * (2 * q + 2 * kv + 3 * shape.intermediate)
    return width * (shape.vocabulary * shape.hidden + layers * layer)


def fit_rates(rounds: pd.DataFrame, shapes: Mapping[str, Shape], source: str) -> Rates:
    """The two rates that give the measured times of HeadRank's passes best, in relative terms.

    rounds: columns backbone, method, layers, tokens, seconds, as of ``headrank.bench``; rows of other methods are
    ignored. shapes: by backbone. Raises InputError where passes of at least two kinds are missing.
    """
    passes = rounds[rounds["method"] == "headrank"]
    medians = passes.groupby(["backbone", "layers", "tokens"])["seconds"].median().reset_index()
    if len(medians) < 2:
        raise InputError(f"{source}: needs HeadRank's passes of two lengths or depths at least")
    counted = np.array(
        [
            multiply_adds(shapes[row["backbone"]], int(row["layers"]), float(row["tokens"]), ROWS, HEADS)
            for row in medians.to_dict("records")
        ]
    )
    seconds = medians["seconds"].to_numpy(dtype=float)
    # Divided by the time, so that a long pass counts no more than a short one.
    scaled = 2 * counted / seconds[:, None]
    per_operation = _non_negative(scaled, np.ones(len(seconds)))
    return Rates(1 / per_operation[0], 1 / per_operation[1], source)


def assumed_rates(gpu: str) -> Rates:
    """The rates of a GPU by its data sheet; InputError for one that is not among ``GPUS``."""
    if gpu not in GPUS:
        raise InputError(f"GPU {gpu!r} is unknown; known: {', '.join(GPUS)}")
    rate = ASSUMED * GPUS[gpu]
    return Rates(rate, rate, f"{ASSUMED:.0%} of {gpu}'s data sheet, assumed")


def _non_negative(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares with positive results: where one would fall to zero, one rate serves both."""
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    if (solution > 0).all():
        return solution
    both = matrix.sum(axis=1)
    return np.full(2, float(both @ target / (both @ both)))
