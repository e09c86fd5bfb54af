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
from headrank.probability.curves import isotonic, logistic, platt
from headrank.probability.probability import (
    Array,
    Curve,
    Expected,
    Probability,
    Signal,
    covariates,
    list_means,
)

if TYPE_CHECKING:
    from headrank.probability.made_with import MadeWith

Form = Literal["platt", "isotonic"]
# Fewer held-out queries say nothing about which signal and curve are better.
LEAST_QUERIES, FOLDS = 10, 5
# With fewer passages of the rarer kind, the isotonic curve has steps that are only these passages.
LEAST_ISOTONIC = 50
# How often lists with nothing relevant are reckoned with, unless told otherwise.
NOTHING = 0.2


@dataclass(frozen=True)
class Choice:
    """A signal with a curve. loss: log loss on held-out queries, in nats, by which it is chosen; own_loss: the same of
    the queries' own lists alone. Infinite where the curve does not rise.
    """

    signal: Signal
    form: Form
    loss: float
    own_loss: float


def fit_probability(
    own: pd.DataFrame,
    made_with: MadeWith,
    told: Mapping[str, Any] | None = None,
    strange: pd.DataFrame | None = None,
    share: float = NOTHING,
) -> Probability:
    """The probability that fits judged passages.

    own: ``headrank.probability.signals.SIGNALS`` of all passages of judged queries' lists, ``judged`` and ``relevant``
    (bool). strange: signals of the same queries' lists in which nothing is relevant; share: how much they weigh of the
    whole, which is how often such lists are to be expected. told: goes into the provenance.

    Raises InputError for fewer than 10 queries, passages that are all of one kind, and signals that do not rise with
    relevance; PrerequisiteError without scikit-learn.
    """
    check_installed()
    judged = own[own["judged"]]
    queries, relevant = judged["qid"].nunique(), int(judged["relevant"].sum())
    if queries < LEAST_QUERIES:
        raise InputError(f"probability: {queries} judged queries, at least {LEAST_QUERIES} are needed")
    if relevant in (0, len(judged)):
        kind = "relevant" if relevant else "irrelevant"
        raise InputError(f"probability: all {len(judged)} judged passages are {kind}; both kinds are needed")
    lists = _lists(own, strange, share)
    choices = [
        Choice(signal, form, *_held_out(lists, signal, form))
        for signal in get_args(Signal)
        for form in get_args(Form)
        if form == "platt" or min(relevant, len(judged) - relevant) >= LEAST_ISOTONIC
    ]
    best = min(choices, key=lambda choice: choice.loss)
    fitted = _fitted(lists, best.signal, best.form) if np.isfinite(best.loss) else None
    if fitted is None:
        raise InputError(
            "probability: passages with a stronger signal are not more often relevant on these queries; choose other"
            " heads"
        )
    constant = np.full(len(judged), judged["relevant"].mean())
    provenance = {
        "headrank": __version__,
        **(told or {}),
        "queries": queries,
        "passages": len(judged),
        "relevant": relevant,
        "lists_with_nothing_relevant": {
            "lists": 0 if strange is None else strange["qid"].nunique(),
            "share": 0.0 if strange is None else share,
        },
        # Of the queries' own lists, with which the share of relevant passages can be compared.
        "heldout_log_loss": {
            **{f"{choice.signal}, {choice.form}": _plain(choice.own_loss) for choice in choices},
            "share of relevant passages": _plain(log_loss(constant, judged["relevant"])),
        },
    }
    expected, curve, level = fitted
    return Probability(made_with, best.signal, expected, curve, level, provenance)


def _lists(own: pd.DataFrame, strange: pd.DataFrame | None, share: float) -> pd.DataFrame:
    """All lists with ``query`` (several lists may have the same), ``own`` and ``weight``; passages with a token."""
    frame = own.assign(query=own["qid"], own=True, weight=1.0)
    if strange is not None:
        weight = share / (1 - share) * own["judged"].sum() / len(strange)
        others = strange.assign(query=strange["qid"], own=False, weight=weight, judged=True, relevant=False)
        frame = pd.concat([frame, others.assign(qid=others["qid"] + " (strange)")], ignore_index=True)
    return frame[frame["length"] > 0].reset_index(drop=True)


def _held_out(lists: pd.DataFrame, signal: Signal, form: Form) -> tuple[float, float]:
    """Log loss on held-out queries, of all lists by their weights and of own lists; infinite where nothing fits."""
    # Queries in the order of their ids: every fifth is in the same fold, whatever the sizes of their lists.
    qids = sorted(lists["query"].unique())
    fold = lists["query"].map({qid: place % FOLDS for place, qid in enumerate(qids)})
    chances = pd.Series(np.nan, index=lists.index)
    for number in range(FOLDS):
        fitted = _fitted(lists[fold != number], signal, form)
        if fitted is None:
            return float("inf"), float("inf")
        expected, curve, level = fitted
        part = lists[fold == number]
        excess = expected.excess(part, signal)
        chances[fold == number] = curve(excess + level * list_means(part, excess))
    judged, own = lists["judged"], lists["judged"] & lists["own"]
    return (
        log_loss(chances[judged], lists["relevant"][judged], lists["weight"][judged].to_numpy(np.float64)),
        log_loss(chances[own], lists["relevant"][own]),
    )


def _fitted(lists: pd.DataFrame, signal: Signal, form: Form) -> tuple[Expected, Curve, float] | None:
    """None where there is nothing to fit to, or the curve does not rise."""
    judged = lists["judged"].to_numpy(dtype=bool)
    relevant = lists["relevant"].to_numpy(dtype=bool)
    if relevant[judged].all() or not relevant[judged].any():
        return None
    expected = _expected(lists[judged & ~relevant], signal)
    excess = expected.excess(lists, signal)
    means = list_means(lists, excess)
    weights = lists["weight"].to_numpy(dtype=np.float64)[judged]
    # Only lists with nothing relevant show what the level of a list says.
    level = 0.0 if lists["own"].all() else _level(excess[judged], means[judged], relevant[judged], weights)
    evidence = (excess + level * means)[judged]
    curve = (platt if form == "platt" else isotonic)(evidence, relevant[judged], weights)
    return None if curve is None else (expected, curve, level)


def _level(excess: Array, means: Array, relevant: NDArray[np.bool_], weights: Array) -> float:
    """How much the mean of the list counts, by logistic regression on both."""
    slopes, _ = logistic(np.stack([excess, means], axis=1), relevant, weights)
    return float(max(slopes[1] / slopes[0], 0.0)) if slopes[0] > 0 else 0.0


def _expected(irrelevant: pd.DataFrame, signal: Signal) -> Expected:
    """Least squares over irrelevant passages: over all of them, the first stage's order, which puts relevant passages
    first, would look like an effect of the place.
    """
    given, wanted = covariates(irrelevant), irrelevant[signal].to_numpy(dtype=np.float64)
    weights = np.linalg.lstsq(given, wanted, rcond=None)[0]
    spread = float(np.sqrt(((wanted - given @ weights) ** 2).mean()))
    constant, length, place, bend = map(float, weights)
    return Expected(constant, length, place, bend, max(spread, 1e-9))


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
