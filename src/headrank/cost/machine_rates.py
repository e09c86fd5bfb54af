"""A machine's two rates from a measurement on it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from headrank.cost.measured import PRODUCT
from headrank.cost.multiply_adds import Shape
from headrank.cost.predict import HEADS, ROWS, Rates, multiply_adds
from headrank.errors import InputError


def fit_rates(rounds: pd.DataFrame, shapes: Mapping[str, Shape], source: str) -> Rates:
    """The two rates that fit the measured times of HeadRank's passes best, in relative terms.

    rounds: columns backbone, method, layers, tokens, operations, seconds, as from ``headrank.bench``; or lists in place
    of method and operations, as from its growth measurement. Of the other methods only the large products count,
    because no rate is above theirs; rows of several lists are ignored. shapes: by backbone. Raises InputError if there
    are not at least two kinds of passes.
    """
    passes = rounds[rounds["method"] == "headrank"] if "method" in rounds else rounds[rounds["lists"] == 1]
    medians = passes.groupby(["backbone", "layers", "tokens"])["seconds"].median().reset_index()
    if len(medians) < 2:
        raise InputError(f"{source}: needs HeadRank's passes of at least two lengths or depths")
    counted = np.array(
        [
            multiply_adds(shapes[row["backbone"]], int(row["layers"]), float(row["tokens"]), ROWS, HEADS)
            for row in medians.to_dict("records")
        ]
    )
    seconds = medians["seconds"].to_numpy(dtype=float)
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise InputError(f"{source}: a pass took no time; measure again")
    return solve(counted, seconds, source, _peak(rounds))


def _peak(rounds: pd.DataFrame) -> float:
    """Operations per second of the fastest large product that was measured; infinity where none was."""
    products = rounds[rounds["method"] == PRODUCT] if "method" in rounds else rounds[:0]
    return float((products["operations"] / products["seconds"]).max()) if len(products) else math.inf


def solve(counted: np.ndarray, seconds: np.ndarray, source: str, peak: float = math.inf) -> Rates:
    """The rates, none above ``peak``, that best explain the times of passes of (products, attention) multiply-adds.

    counted: (passes, 2). The bound is needed because short lists are nearly all products, so that noise alone could
    give attention any rate.
    """
    # Divided by the time, so that a long pass counts no more than a short one.
    scaled = 2 * counted / seconds[:, None]
    per_operation = _at_least(1 / peak, scaled, np.ones(len(seconds)))
    return Rates(1 / per_operation[0], 1 / per_operation[1], source)


def _at_least(least: float, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares for two results not below ``least``; if one would fall to zero, both get the same value."""
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    if (solution > least).all():
        found: np.ndarray = solution
        return found
    if not least:
        both = matrix.sum(axis=1)
        return np.full(2, float(both @ target / (both @ both)))
    candidates = [np.full(2, least)]
    for free in (0, 1):
        column = matrix[:, free]
        value = column @ (target - least * matrix[:, 1 - free]) / (column @ column)
        if value > least:
            candidates.append(np.array([value, least] if free == 0 else [least, value]))
    return min(candidates, key=lambda found: float(np.square(matrix @ found - target).sum()))
