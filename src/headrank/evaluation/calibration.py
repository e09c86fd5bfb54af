"""Whether probabilities of relevance mean what they say: reliability, its expected error, what they tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from headrank.errors import InputError
from headrank.evaluation.bootstrap import drawn_sums, percentile_interval
from headrank.evaluation.significance import Resampling

Floats = npt.NDArray[np.float64]
BINS = 10
# Of one bin: its limits, how many passages lie in it, their mean probability, and the share of them that is relevant.
RELIABILITY = ["low", "high", "passages", "probability", "relevant"]
_SIMULATIONS = 1000


@dataclass(frozen=True)
class Calibration:
    """error: expected calibration error, the mean over passages of |mean probability − share relevant| of their bin;
    low, high: its interval over queries; by_chance: its mean if every probability were exact, since a bin of few
    passages is off by chance. brier: mean squared error. log_loss: mean −log of the probability of what is the case, in
    nats; base_log_loss: that of the share of relevant passages, given to all. auc: the share of pairs of a relevant and
    another passage, of any two queries, in which the relevant one has the higher probability, ties counting half.
    """

    passages: int
    queries: int
    relevant: int
    error: float
    low: float
    high: float
    by_chance: float
    brier: float
    log_loss: float
    base_log_loss: float
    auc: float


def reliability(probability: npt.ArrayLike, relevant: npt.ArrayLike, bins: int = BINS) -> pd.DataFrame:
    """Passages in bins of equal width by their probability: ``RELIABILITY``; bins without passages are left out."""
    p, y = _checked(probability, relevant)
    place = _bins(p, bins)
    counts = np.bincount(place, minlength=bins)
    filled = np.flatnonzero(counts)
    columns = {
        "low": filled / bins,
        "high": (filled + 1) / bins,
        "passages": counts[filled],
        "probability": np.bincount(place, p, bins)[filled] / counts[filled],
        "relevant": np.bincount(place, y, bins)[filled] / counts[filled],
    }
    return pd.DataFrame(columns, columns=RELIABILITY)


def expected_error(probability: npt.ArrayLike, relevant: npt.ArrayLike, bins: int = BINS) -> float:
    """The expected calibration error (Naeini et al., AAAI 2015) over bins of equal width."""
    p, y = _checked(probability, relevant)
    return float(np.abs(np.bincount(_bins(p, bins), p - y, bins)).sum() / len(p))


def auc(probability: npt.ArrayLike, relevant: npt.ArrayLike) -> float:
    """The area under the ROC curve, ties counting half; NaN where all passages are of one kind."""
    from scipy.stats import rankdata

    p, y = _checked(probability, relevant)
    ones = int(y.sum())
    if ones in (0, len(y)):
        return float("nan")
    ranks = rankdata(p)
    return float((ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones)))


def log_loss(probability: npt.ArrayLike, relevant: npt.ArrayLike, weights: Floats | None = None) -> float:
    """Mean −log of the probability of what is the case, in nats; below 1e-6 it counts as 1e-6."""
    p, y = _checked(probability, relevant)
    p = p.clip(1e-6, 1 - 1e-6)
    return float(np.average(-np.where(y == 1, np.log(p), np.log(1 - p)), weights=weights))


def judge_calibration(
    judged: pd.DataFrame, bins: int = BINS, settings: Resampling | None = None
) -> Calibration:
    """How well probabilities fit. judged: columns qid, probability, relevant; one row per judged passage.

    The interval is a percentile bootstrap over queries. Raises InputError for no passages and for probabilities that
    are none.
    """
    settings = settings or Resampling()
    p, y = _checked(judged["probability"], judged["relevant"])
    place = _bins(p, bins)
    # Sums by bin and query: the error of a resample is made of its queries' sums.
    qids, query = np.unique(judged["qid"].astype(str).to_numpy(), return_inverse=True)
    sums = np.zeros((len(qids), bins + 1))
    np.add.at(sums, (query, place), p - y)
    sums[:, bins] = np.bincount(query, minlength=len(qids))
    drawn = drawn_sums([sums], settings)[:, 0]
    low, high = percentile_interval(np.abs(drawn[:, :bins]).sum(axis=1) / drawn[:, bins], settings)
    rng = np.random.default_rng([settings.seed, 7])
    chance = [expected_error(p, rng.random(len(p)) < p, bins) for _ in range(_SIMULATIONS)]
    share = np.full(len(y), y.mean())
    return Calibration(
        len(p),
        len(qids),
        int(y.sum()),
        expected_error(p, y, bins),
        low,
        high,
        float(np.mean(chance)),
        float(((p - y) ** 2).mean()),
        log_loss(p, y),
        log_loss(share, y),
        auc(p, y),
    )


def _bins(p: Floats, bins: int) -> npt.NDArray[np.intp]:
    return np.minimum((p * bins).astype(np.intp), bins - 1)


def _checked(probability: npt.ArrayLike, relevant: npt.ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(relevant, dtype=np.float64)
    if not len(p):
        raise InputError("calibration: no judged passage")
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError("calibration: a probability is not within 0..1")
    return p, y
