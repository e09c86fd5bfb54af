"""Homogenisation (R12): how alike the scores of the middle zone are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from headrank.errors import InputError, UsageError
from headrank.evaluation.middle_zone import ZoneSettings, annotate, zone_bounds

Normalisation = Literal["minmax", "share", "zscore"]


def homogenisation(
    ranking: pd.DataFrame,
    qrels: Mapping[str, Mapping[str, int]],
    settings: ZoneSettings | None = None,
    untrained: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """How alike the zone's scores are, per query: columns ``qid``, ``metric``, ``value``.

    ``zone_cv``: standard deviation (ddof 0) over absolute mean of the zone's scores. ``adjacent_ratio``:
    mean of s(r) - s(r+1) over ranks r within the zone's bounds, divided by the same mean over the other
    ranks. ``zone_tau``: Kendall's tau-b of scores and grades of the zone's judged documents, 0 where all
    scores are equal. A value that is not defined (equal grades, zero mean, fewer than two documents) has no
    row.
    """
    from scipy.stats import kendalltau

    settings = settings or ZoneSettings()
    frame = annotate(ranking, qrels, settings, untrained)
    rows: list[tuple[str, str, float]] = []
    for qid, query in frame.groupby("qid", sort=False):
        zone = query[query["in_zone"]]
        scores = zone["score"].to_numpy(dtype=np.float64)
        if len(scores) > 1 and scores.mean() != 0:
            rows.append((str(qid), "zone_cv", float(scores.std() / abs(scores.mean()))))
        ratio = _adjacent_ratio(query.sort_values("rank")["score"].to_numpy(dtype=np.float64))
        if ratio is not None:
            rows.append((str(qid), "adjacent_ratio", ratio))
        judged = zone[zone["grade"].notna()]
        if judged["grade"].nunique() > 1:
            constant = judged["score"].nunique() == 1
            tau = 0.0 if constant else float(kendalltau(judged["score"], judged["grade"]).statistic)
            rows.append((str(qid), "zone_tau", tau))
    return pd.DataFrame(rows, columns=["qid", "metric", "value"])


def profile(
    ranking: pd.DataFrame,
    qrels: Mapping[str, Mapping[str, int]],
    settings: ZoneSettings | None = None,
    normalise: Normalisation = "minmax",
) -> pd.DataFrame:
    """Mean normalised score by prompt position and group, for all positions: the homogenisation figure's input.

    Columns ``position`` (from 0), ``group``, ``mean``, ``low``, ``high`` (mean -+ 1.96 standard errors; equal to the
    mean for a single document), ``n`` (documents). Scores are normalised within each list: ``minmax`` to
    0..1 (0.5 where all are equal), ``share`` to N * score / sum (1 = uniform; scores must not be negative),
    ``zscore`` to mean 0 and standard deviation 1. Lists of different lengths are averaged position by
    position.
    """
    frame = annotate(ranking, qrels, replace(settings or ZoneSettings(), zone="position"), None)
    scores = frame.groupby("qid", sort=False)["score"]
    value = frame["score"].astype(float)
    if normalise == "minmax":
        spread = scores.transform("max") - scores.transform("min")
        scaled = ((value - scores.transform("min")) / spread.where(spread > 0)).fillna(0.5)
    elif normalise == "share":
        total = scores.transform("sum")
        bad = frame.loc[(value < 0) | (total <= 0), "qid"]
        if len(bad):
            raise InputError(f"ranking: query {bad.iloc[0]} has negative scores or none above 0; use minmax")
        scaled = value * frame["size"] / total
    elif normalise == "zscore":
        spread = scores.transform(lambda s: s.std(ddof=0))
        scaled = ((value - scores.transform("mean")) / spread.where(spread > 0)).fillna(0.0)
    else:
        raise UsageError(f"normalise: {normalise!r} is not known; use minmax, share or zscore")
    frame = frame.assign(scaled=scaled)[frame["group"] != ""]
    result = frame.groupby(["group", "position"])["scaled"].agg(["mean", "sem", "count"]).reset_index()
    margin = 1.96 * result["sem"].fillna(0.0)
    return result.assign(low=result["mean"] - margin, high=result["mean"] + margin, n=result["count"])[
        ["position", "group", "mean", "low", "high", "n"]
    ]


def _adjacent_ratio(falling: npt.NDArray[np.float64]) -> float | None:
    steps = np.abs(np.diff(falling))
    start, stop = zone_bounds(len(falling))
    ranks = np.arange(len(falling) - 1)  # step r leads from rank r to rank r + 1
    inside = (ranks >= start) & (ranks < stop)
    if not inside.any() or inside.all() or steps[~inside].mean() == 0:
        return None
    return float(steps[inside].mean() / steps[~inside].mean())
