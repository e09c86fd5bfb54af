"""Fitting a probability on judged passages of training queries.

Which signal and which curve are taken is decided by the log loss on queries that are held out in turn; then all queries
fit the one that is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank import __version__
from headrank.errors import InputError, PrerequisiteError
from headrank.evaluation.calibration import log_loss
from headrank.probability.probability import Array, Curve, Expected, Probability, Signal, covariates

if TYPE_CHECKING:
    from headrank.probability.made_with import MadeWith

Form = Literal["platt", "isotonic"]
# Fewer held-out queries say nothing about which signal and curve are better.
LEAST_QUERIES, FOLDS = 10, 5
# With fewer passages of the rarer kind, the isotonic curve has steps that are only these passages.
LEAST_ISOTONIC = 50


@dataclass(frozen=True)
class Choice:
    """A signal with a curve. loss: mean log loss on held-out queries, in nats; infinite where it does not rise."""

    signal: Signal
    form: Form
    loss: float


def fit_probability(
    judged: pd.DataFrame, made_with: MadeWith, told: Mapping[str, Any] | None = None
) -> Probability:
    """The probability that fits judged passages.

    judged: ``headrank.probability.signals.SIGNALS`` and ``relevant`` (bool), one row per judged passage. told: goes
    into the provenance. Raises InputError for fewer than 10 queries, passages that are all of one kind, and signals
    that do not rise with relevance; PrerequisiteError without scikit-learn.
    """
    check_installed()
    qids = sorted(judged["qid"].astype(str).unique())
    relevant = int(judged["relevant"].sum())
    if len(qids) < LEAST_QUERIES:
        raise InputError(f"probability: {len(qids)} judged queries, at least {LEAST_QUERIES} are needed")
    if relevant in (0, len(judged)):
        kind = "relevant" if relevant else "irrelevant"
        raise InputError(f"probability: all {len(judged)} judged passages are {kind}; both kinds are needed")
    judged = judged[judged["length"] > 0]
    choices = [
        Choice(signal, form, _held_out(judged, qids, signal, form))
        for signal in get_args(Signal)
        for form in get_args(Form)
        if form == "platt" or min(relevant, len(judged) - relevant) >= LEAST_ISOTONIC
    ]
    best = min(choices, key=lambda choice: choice.loss)
    if not np.isfinite(best.loss):
        raise InputError(
            "probability: passages with a stronger signal are not more often relevant on these queries; choose other"
            " heads"
        )
    fitted = _fitted(judged, best.signal, best.form)
    if fitted is None:
        raise InputError("probability: the signal does not rise with relevance on all queries together")
    share = np.full(len(judged), judged["relevant"].mean())
    provenance = {
        "headrank": __version__,
        **(told or {}),
        "queries": len(qids),
        "passages": len(judged),
        "relevant": relevant,
        "heldout_log_loss": {
            **{f"{c.signal}, {c.form}": _plain(c.loss) for c in choices},
            "share of relevant passages": _plain(log_loss(share, judged["relevant"])),
        },
    }
    return Probability(made_with, best.signal, *fitted, provenance)


def _held_out(judged: pd.DataFrame, qids: list[str], signal: Signal, form: Form) -> float:
    # Queries in the order of their ids say nothing; every fifth is in the same fold, whatever the sizes of their lists.
    fold = judged["qid"].astype(str).map({qid: place % FOLDS for place, qid in enumerate(qids)})
    chances = pd.Series(np.nan, index=judged.index)
    for number in range(FOLDS):
        fitted = _fitted(judged[fold != number], signal, form)
        if fitted is None:
            return float("inf")
        expected, curve = fitted
        chances[fold == number] = curve(expected.excess(judged[fold == number], signal))
    return log_loss(chances, judged["relevant"])


def _fitted(judged: pd.DataFrame, signal: Signal, form: Form) -> tuple[Expected, Curve] | None:
    """None where there is nothing to fit to, or the curve does not rise."""
    relevant = judged["relevant"].to_numpy(dtype=bool)
    if relevant.all() or not relevant.any():
        return None
    expected = _expected(judged[~relevant], signal)
    excess = expected.excess(judged, signal)
    curve = _platt(excess, relevant) if form == "platt" else _isotonic(excess, relevant)
    return None if curve is None else (expected, curve)


def _expected(irrelevant: pd.DataFrame, signal: Signal) -> Expected:
    """Least squares over irrelevant passages: over all of them, the first stage's order, which puts relevant passages
    first, would look like an effect of the place.
    """
    given, wanted = covariates(irrelevant), irrelevant[signal].to_numpy(dtype=np.float64)
    weights = np.linalg.lstsq(given, wanted, rcond=None)[0]
    spread = float(np.sqrt(((wanted - given @ weights) ** 2).mean()))
    return Expected(*map(float, weights), max(spread, 1e-9))


def _platt(excess: Array, relevant: NDArray[np.bool_]) -> Curve | None:
    from sklearn.linear_model import LogisticRegression

    # Platt's targets: one more passage of each kind than there are keeps the slope finite where the signal separates
    # them. Each passage counts as both kinds, with these weights.
    ones = int(relevant.sum())
    high, low = (ones + 1) / (ones + 2), 1 / (len(relevant) - ones + 2)
    target = np.where(relevant, high, low)
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    both = np.concatenate([excess, excess])[:, None]
    kinds = np.repeat([1, 0], len(excess))
    model.fit(both, kinds, sample_weight=np.concatenate([target, 1 - target]))
    slope, constant = float(model.coef_[0, 0]), float(model.intercept_[0])
    return Curve("platt", slope, constant) if slope > 0 else None


def _isotonic(excess: Array, relevant: NDArray[np.bool_]) -> Curve | None:
    from sklearn.isotonic import IsotonicRegression

    # A probability of 0 or 1 would be more than so many passages can show.
    least = 1 / (len(relevant) + 2)
    model = IsotonicRegression(y_min=least, y_max=1 - least, increasing=True, out_of_bounds="clip")
    model.fit(excess, relevant.astype(np.float64))
    x, p = model.X_thresholds_, model.y_thresholds_
    points = {float(place): float(chance) for place, chance in zip(x, p, strict=True)}
    return Curve("isotonic", points=tuple(points.items())) if p[-1] > p[0] else None


def check_installed() -> None:
    """PrerequisiteError without scikit-learn."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise PrerequisiteError(
            "scikit-learn is not installed, which fits probabilities; pip install 'headrank[probability]'"
        ) from None


def _plain(value: float) -> float | None:
    """For JSON, which has no infinity."""
    return round(value, 4) if np.isfinite(value) else None
