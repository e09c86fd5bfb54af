"""How probabilities do on queries that they were not fitted on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headrank.evaluation.calibration import auc
from headrank.probability.probability import Probability, falling

# Of lists with their own candidates and of lists with those of other queries: how many, the quartiles of their highest
# probability, and the share of lists in which it is at least one half.
NOTHING_RELEVANT = ["lists", "count", "lower", "median", "upper", "above_half", "auc"]


def with_probabilities(signals: pd.DataFrame, probability: Probability) -> pd.DataFrame:
    """Signals with ``probability``, falling with the rank in each list, as users see it.

    signals: as from ``headrank.probability.judged.read_signals``.
    """
    told = signals.assign(probability=probability.of(signals))
    told = told.sort_values(["qid", "rank"], kind="stable")
    told["probability"] = told.groupby("qid", sort=False)["probability"].transform(
        lambda chances: falling(chances.to_numpy(dtype=np.float64))
    )
    return told.sort_index()


def nothing_relevant(own: pd.DataFrame, strange: pd.DataFrame) -> pd.DataFrame:
    """``NOTHING_RELEVANT``: the highest probability of each list, of candidates of its own and of another query.

    auc: the share of pairs of one list of each kind in which the own one has the higher of the two.
    """
    tops = {"own": _tops(own), "strange": _tops(strange)}
    both = np.concatenate([tops["own"], tops["strange"]])
    area = auc(both, np.repeat([1, 0], [len(tops["own"]), len(tops["strange"])]))
    rows = [
        (name, len(top), *np.quantile(top, [0.25, 0.5, 0.75]), float((top >= 0.5).mean()), area)
        for name, top in tops.items()
    ]
    return pd.DataFrame(rows, columns=NOTHING_RELEVANT)


def _tops(told: pd.DataFrame) -> np.ndarray:
    return told.groupby("qid")["probability"].max().to_numpy(dtype=np.float64)
