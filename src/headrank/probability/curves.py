"""Curves from evidence to probability, fitted to passages with weights by scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headrank.probability.probability import Array, Curve


def platt(evidence: Array, relevant: NDArray[np.bool_], weights: Array) -> Curve | None:
    """Platt's curve; None if it does not rise. All arguments (passages,)."""
    slopes, constant = logistic(evidence[:, None], relevant, weights)
    return Curve("platt", float(slopes[0]), constant) if slopes[0] > 0 else None


def logistic(given: Array, relevant: NDArray[np.bool_], weights: Array) -> tuple[Array, float]:
    """Logistic regression of (passages, columns) without a penalty: a slope of each column, and a constant."""
    from sklearn.linear_model import LogisticRegression

    # Platt's targets: one more passage of each kind than there are keeps the slope finite where the signal separates
    # them. Each passage counts as both kinds, with these weights.
    ones = int(relevant.sum())
    high, low = (ones + 1) / (ones + 2), 1 / (len(relevant) - ones + 2)
    target = np.where(relevant, high, low)
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    kinds = np.repeat([1, 0], len(given))
    both = np.concatenate([target * weights, (1 - target) * weights])
    model.fit(np.concatenate([given, given]), kinds, sample_weight=both)
    slopes: Array = model.coef_[0]
    return slopes, float(model.intercept_[0])


def isotonic(evidence: Array, relevant: NDArray[np.bool_], weights: Array) -> Curve | None:
    """The curve that rises and fits best, with no form of its own; None if it is flat."""
    from sklearn.isotonic import IsotonicRegression

    # A probability of 0 or 1 would be more than so many passages can show.
    least = 1 / (len(relevant) + 2)
    model = IsotonicRegression(y_min=least, y_max=1 - least, increasing=True, out_of_bounds="clip")
    model.fit(evidence, relevant.astype(np.float64), sample_weight=weights)
    x, p = model.X_thresholds_, model.y_thresholds_
    points = {float(place): float(chance) for place, chance in zip(x, p, strict=True)}
    return Curve("isotonic", points=tuple(points.items())) if p[-1] > p[0] else None
