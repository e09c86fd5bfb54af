"""A machine's two rates from a measurement on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from headrank.cost import Shape
from headrank.errors import InputError
from headrank.estimate import HEADS, ROWS, Rates, multiply_adds


def fit_rates(rounds: pd.DataFrame, shapes: Mapping[str, Shape], source: str) -> Rates:
    """The two rates that give the measured times of HeadRank's passes best, in relative terms.

    rounds: columns backbone, method, layers, tokens, seconds, as of ``headrank.bench``, or lists in place of method, as
    of its growth; rows of other methods and of several lists are ignored. shapes: by backbone. Raises InputError where
    passes of at least two kinds are missing.
    """
    passes = rounds[rounds["method"] == "headrank"] if "method" in rounds else rounds[rounds["lists"] == 1]
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
    return solve(counted, seconds, source)


def solve(counted: np.ndarray, seconds: np.ndarray, source: str) -> Rates:
    """The rates at which passes of (products, attention) multiply-adds, (passes, 2), take these times best."""
    # Divided by the time, so that a long pass counts no more than a short one.
    scaled = 2 * counted / seconds[:, None]
    per_operation = _non_negative(scaled, np.ones(len(seconds)))
    return Rates(1 / per_operation[0], 1 / per_operation[1], source)


def _non_negative(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares with positive results: where one would fall to zero, one rate serves both."""
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    if (solution > 0).all():
        return solution
    both = matrix.sum(axis=1)
    return np.full(2, float(both @ target / (both @ both)))
