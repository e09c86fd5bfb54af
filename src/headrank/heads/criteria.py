"""What heads are judged by: statistics of one list's per-head document masses, one value per head."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def adjacent_levels(grades: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(higher, next lower) grade levels among the judged documents of a list; unjudged ones (-1) never count."""
    levels = sorted({int(g) for g in grades if g >= 0}, reverse=True)
    return list(pairwise(levels))


def adjacent_auc(values: Array, grades: NDArray[np.int64]) -> Array:
    """(heads,): mean over adjacent levels of P(higher > lower) + P(equal) / 2; NaN where a list has one level."""
    parts = []
    for high, low in adjacent_levels(grades):
        difference = values[:, grades == high][:, :, None] - values[:, grades == low][:, None, :]
        parts.append((np.sign(difference).mean(axis=(1, 2)) + 1) / 2)
    return np.mean(parts, axis=0) if parts else np.full(values.shape[0], np.nan)


def adjacent_contrast(values: Array, grades: NDArray[np.int64], temperature: float) -> Array:
    """(heads,): CoRe's contrast with the documents of the next lower level as negatives."""
    parts = [
        contrast(values[:, grades == high], values[:, grades == low], temperature)
        for high, low in adjacent_levels(grades)
    ]
    return np.mean(parts, axis=0) if parts else np.full(values.shape[0], np.nan)


def contrast(positive: Array, negative: Array, temperature: float) -> Array:
    """(heads,): mean over positives of exp(m+/t) / (exp(m+/t) + sum exp(m-/t)), computed without overflow."""
    p, n = positive / temperature, negative / temperature
    # The negatives' own maximum is subtracted: with a maximum over all, they would underflow at low temperatures.
    top = n.max(axis=1, keepdims=True)
    log_negative = top + np.log(np.exp(n - top).sum(axis=1, keepdims=True))
    found: Array = (1 / (1 + np.exp(np.clip(log_negative - p, -700, 700)))).mean(axis=1)
    return found


def ndcg_of_heads(values: Array, grades: NDArray[np.int64], depth: int = 10) -> Array:
    """(heads,): nDCG@10 of each head used alone as the ranker of the list (linear gains)."""
    gains = np.maximum(grades, 0).astype(np.float64)
    discount = 1 / np.log2(np.arange(2, depth + 2))
    order = np.argsort(-values, axis=1, kind="stable")[:, :depth]
    ideal = np.sort(gains)[::-1][:depth]
    best = (ideal * discount[: len(ideal)]).sum()
    if best == 0:
        return np.full(values.shape[0], np.nan)
    found: Array = (gains[order] * discount[: order.shape[1]]).sum(axis=1) / best
    return found


def normalised_entropy(shares: Array) -> Array:
    """(heads,): entropy of each head's shares over log N, in [0, 1]; 0 for a list of one document."""
    count = shares.shape[1]
    if count < 2:
        return np.zeros(shares.shape[0])
    found: Array = -(shares * np.log(shares.clip(min=1e-300))).sum(axis=1) / np.log(count)
    return found
