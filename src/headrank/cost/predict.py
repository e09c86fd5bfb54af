"""How much time and memory a truncated pass takes, from its arithmetic and a machine's two rates.

Both rates are measured (``headrank.bench``) or, for a GPU that is not available, a stated fraction of its data sheet's
rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from headrank.cost.multiply_adds import Shape, deepest_layer_operations, layer_operations
from headrank.errors import UsageError

# Dense bfloat16 matrix products, operations per second, as the makers' data sheets state them.
GPUS: Mapping[str, float] = {
    "a10": 125e12,
    "a100": 312e12,
    "l40s": 362e12,
    "rtx4090": 165e12,
    "h100": 989e12,
    "h200": 989e12,
}
# The fraction of a data sheet's rate that is assumed to be reached; no GPU was available to measure it.
ASSUMED = 0.4
# Query rows and heads that a pass reads: little compared with the rest, so that round numbers suffice.
ROWS, HEADS = 32, 8
# A processor's heap in multiples of the live data: it has holes between tensors of different sizes, since freed memory
# is kept (headrank.process.heap). Measured: 1.6 to 2.4.
HEAP = 2
# Training in forward passes: forward, once more if gradient checkpointing is on, and backward, which counts as two.
TRAINING_PASSES = 4
# What the activations of a pass may take on a processor if the configuration leaves it open: running out of memory
# raises no error there, the process is killed. With this limit, 1.5B can be trained on lists of 40 passages within 12
# GB, weights included.
ROOM = 3 * 2**30
# Memory for the backward pass of one layer, in multiples of what a layer keeps: 1.6 is live at once, the rest are holes
# in the heap. Measured: 3.5 to 4.
WORK = 4


@dataclass(frozen=True)
class Rates:
    """Operations per second (two per multiply-add): of products with weights, including everything that is done token
    by token, and of attention. source: where they are from, for display.
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
    return seconds_of(*multiply_adds(shape, layers, tokens, rows, heads), rates)


def seconds_of(products: float, attention: float, rates: Rates) -> float:
    """Seconds for this many multiply-adds."""
    return 2 * products / rates.products + 2 * attention / rates.attention


def pass_bytes(shape: Shape, tokens: float, width: int = 2, device: str = "cpu") -> float:
    """Peak memory of a pass beyond the weights: inside attention, when its queries are not yet freed.

    It consists of three states of the residual stream's width, queries and attention's output, keys and values, the
    angles of the positions in float32 and, on a processor, a second copy of keys and values in the form that the
    compiled attention reads. On a processor the heap takes ``HEAP`` times as much.
    """
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    alive = width * (3 * shape.hidden + 2 * q + 2 * kv) + 2 * 4 * shape.head_dim
    if device != "cpu":
        return tokens * alive
    return tokens * HEAP * (alive + 2 * width * kv)


def cache_bytes(shape: Shape, tokens: float, width: int = 2) -> float:
    """Memory of the keys and values of all layers, kept while an answer is written."""
    return tokens * width * shape.layers * 2 * shape.kv_heads * shape.head_dim


def training_bytes(
    shape: Shape,
    layers: int,
    tokens: float,
    width: int = 2,
    gib: float | None = None,
    device: str = "cpu",
) -> float:
    """Memory of a pass with gradients beyond the weights, with LoRA on all projections of ``layers`` layers.

    gib: ``training.activation_gib``, which bounds what layers keep; the work on one of them comes on top.
    """
    layer = tokens * activation_bytes(shape, width)
    return min(layers * layer, activation_room(gib, device)) + WORK * layer


def activation_bytes(shape: Shape, width: int = 2) -> float:
    """Bytes that a trained layer keeps per token for the backward pass.

    Queries, keys and values, what enters each projection and, in the MLP, its gate before and after the activation.
    Norms keep their input in float32. In 32 bits peft also keeps its own copies of each projection's input after
    dropout, and the dropout masks; in 16 bits ``headrank.engine.lora`` keeps none.
    """
    h, q, kv = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    if width == 2:
        return width * (6 * h + 4 * q + 4 * kv + 4 * shape.intermediate)
    return width * (12 * h + 6 * q + 4 * kv + 5 * shape.intermediate)


def activation_room(gib: float | None, device: str = "cpu") -> float:
    """Bytes for the activations of a pass, where ``training.activation_gib`` is ``gib``."""
    if gib is None:
        return ROOM if device == "cpu" else math.inf
    return gib * 2**30


def weight_bytes(shape: Shape, layers: int, width: int = 2) -> float:
    """Memory of the embedding and the first ``layers``; norms are left out."""
    return width * (shape.vocabulary * shape.hidden + layers * layer_parameters(shape))


def layer_parameters(shape: Shape) -> int:
    """Weights of one layer; norms are left out."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return shape.hidden * (2 * q + 2 * kv + 3 * shape.intermediate)


def assumed_rates(gpu: str) -> Rates:
    """The rates of a GPU by its data sheet; InputError for one that is not among ``GPUS``."""
    if gpu not in GPUS:
        raise UsageError(f"GPU {gpu!r} is unknown; known: {', '.join(GPUS)}")
    rate = ASSUMED * GPUS[gpu]
    return Rates(rate, rate, f"{ASSUMED:.0%} of {gpu}'s data sheet, assumed")
