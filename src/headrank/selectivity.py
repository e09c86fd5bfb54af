"""Middle-zone selectivity and homogenisation: does training lift the relevant documents of the middle?

R12 of docs/methods.md. The middle zone of a list of N documents is the prompt positions ceil(N/4)+1 to
floor(3N/4) (11 to 30 of 40). A zone document is promoted when its final rank is at most N/4. A ranker that
ignores relevance promotes a quarter of the relevant and of the irrelevant documents alike (for N divisible
by 4): the gap between the two shares is the selectivity.

A ranking is a data frame with a row per candidate: ``qid``, ``docid``, ``position`` (in the prompt, from
1), ``score``, ``rank`` (from 1). Frames of zone documents of several benchmarks may be put together under a
further column ``benchmark``, which then tells equal query ids apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from headrank.errors import InputError
from headrank.significance import Resampling, sign_flip_test

Average = Literal["pooled", "macro"]
Normalisation = Literal["minmax", "share", "zscore"]
Floats = npt.NDArray[np.float64]

_COLUMNS = ["qid", "docid", "position", "score", "rank"]


@dataclass(frozen=True)
class ZoneSettings:
    """Which documents are looked at.

    ``zone``: the middle by prompt position, or by the rank that the untrained model gives.
    ``relevant_from``: the lowest grade that counts as relevant; grades between 0 and it count as neither.
    ``irrelevant``: documents judged 0 (or less), or these and the unjudged ones.
    """

    zone: Literal["position", "untrained"] = "position"
    relevant_from: int = 1
    irrelevant: Literal["judged", "judged+unjudged"] = "judged"


@dataclass(frozen=True)
class Promotion:
    """Shares of the zone's documents that reached the top quartile; NaN where there was none to reach it."""

    relevant: float
    irrelevant: float
    n_relevant: int
    n_irrelevant: int
    n_queries: int

    @property
    def gap(self) -> float:
        """Share of the relevant minus share of the irrelevant documents."""
        return self.relevant - self.irrelevant


@dataclass(frozen=True)
class GapTest:
    """Whether the gap grew: its value before and after, and the p-value of the difference."""

    before: float
    after: float
    p: float
    n_queries: int

    @property
    def difference(self) -> float:
        """Gap after minus gap before."""
        return self.after - self.before


def zone_bounds(size: int) -> tuple[int, int]:
    """First and last position (from 1, both included) of the middle zone of a list; empty when first > last."""
    return -(-size // 4) + 1, 3 * size // 4


def zone_documents(
    ranking: pd.DataFrame,
    qrels: Mapping[str, Mapping[str, int]],
    settings: ZoneSettings | None = None,
    untrained: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The zone's relevant and irrelevant documents: columns ``qid``, ``docid``, ``group``, ``promoted`` (bool).

    ``group`` is "relevant" or "irrelevant". ``untrained`` is the ranking whose ranks make the zone when the
    settings ask for it; it must hold the same candidates. Raises InputError on a malformed ranking.
    """
    settings = settings or ZoneSettings()
    frame = _annotated(ranking, qrels, settings, untrained)
    frame = frame[frame["in_zone"] & (frame["group"] != "")]
    promoted = frame["rank"] * 4 <= frame["size"]
    return frame[["qid", "docid", "group"]].assign(promoted=promoted).reset_index(drop=True)


def promotion(documents: pd.DataFrame, average: Average = "pooled") -> Promotion:
    """Promotion of zone documents, over all documents at once or as the mean over queries.

    The macro mean of a group runs over the queries that have documents of that group in the zone.
    """
    counts = _counts(documents)
    shares = {group: _share(counts, group, average) for group in ("relevant", "irrelevant")}
    return Promotion(
        **shares,
        n_relevant=int(counts["relevant"].sum()),
        n_irrelevant=int(counts["irrelevant"].sum()),
        n_queries=len(counts),
    )


def gap_test(
    before: pd.DataFrame,
    after: pd.DataFrame,
    average: Average = "pooled",
    settings: Resampling | None = None,
) -> GapTest:
    """Test gap after > gap before by a paired randomisation over queries.

    Both frames come from ``zone_documents`` and hold the same zone documents. The gap, pooled or macro, is
    a sum of one term per query, so that exchanging before and after in one query flips the sign of its
    term. One-sided unless the settings say otherwise. Raises InputError where the frames differ in
    documents or lack one of the groups.
    """
    settings = settings or Resampling(alternative="greater")
    keys = [*_query_keys(before), "docid", "group"]
    if "benchmark" in after and "benchmark" not in keys:
        raise InputError("before and after: only one of them has the column 'benchmark'")
    if (
        not before[keys]
        .sort_values(keys, ignore_index=True)
        .equals(after[keys].sort_values(keys, ignore_index=True))
    ):
        raise InputError(
            "before and after: the zone documents differ; rank the same candidates from the same prompt"
        )
    first, second = promotion(before, average), promotion(after, average)
    if not np.isfinite(first.gap):
        raise InputError(
            "selectivity: the zone has no relevant or no irrelevant documents, so there is no gap"
        )
    terms = _terms(_counts(after), average) - _terms(_counts(before), average)
    return GapTest(first.gap, second.gap, sign_flip_test(terms, settings), first.n_queries)


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
    frame = _annotated(ranking, qrels, settings, untrained)
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

    Columns ``position``, ``group``, ``mean``, ``low``, ``high`` (mean -+ 1.96 standard errors; equal to the
    mean for a single document), ``n`` (documents). Scores are normalised within each list: ``minmax`` to
    0..1 (0.5 where all are equal), ``share`` to N * score / sum (1 = uniform; scores must not be negative),
    ``zscore`` to mean 0 and standard deviation 1. Lists of different lengths are averaged position by
    position.
    """
    frame = _annotated(ranking, qrels, replace(settings or ZoneSettings(), zone="position"), None)
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
        raise InputError(f"normalise: {normalise!r} is not known; use minmax, share or zscore")
    frame = frame.assign(scaled=scaled)[frame["group"] != ""]
    result = frame.groupby(["group", "position"])["scaled"].agg(["mean", "sem", "count"]).reset_index()
    margin = 1.96 * result["sem"].fillna(0.0)
    return result.assign(low=result["mean"] - margin, high=result["mean"] + margin, n=result["count"])[
        ["position", "group", "mean", "low", "high", "n"]
    ]


def _annotated(
    ranking: pd.DataFrame,
    qrels: Mapping[str, Mapping[str, int]],
    settings: ZoneSettings,
    untrained: pd.DataFrame | None,
) -> pd.DataFrame:
    """The checked ranking plus ``size`` of its list, ``grade`` (NaN: unjudged), ``group`` and ``in_zone``.

    ``group`` is "relevant", "irrelevant" or, for neither, empty.
    """
    if settings.relevant_from < 1:
        raise InputError(
            f"relevant_from: {settings.relevant_from} would make judged-irrelevant documents relevant"
        )
    frame = _checked(ranking, "ranking")
    grade = pd.Series(
        [qrels.get(q, {}).get(d, np.nan) for q, d in zip(frame["qid"], frame["docid"], strict=True)],
        index=frame.index,
        dtype=float,
    )
    irrelevant = grade <= 0
    if settings.irrelevant == "judged+unjudged":
        irrelevant |= grade.isna()
    group = np.select([grade >= settings.relevant_from, irrelevant], ["relevant", "irrelevant"], default="")
    place = frame["position"] if settings.zone == "position" else _untrained_rank(frame, untrained)
    first = (-(-frame["size"] // 4)) + 1
    last = frame["size"] * 3 // 4
    return frame.assign(grade=grade, group=group, in_zone=(place >= first) & (place <= last))


def _untrained_rank(frame: pd.DataFrame, untrained: pd.DataFrame | None) -> pd.Series:
    if untrained is None:
        raise InputError("zone: 'untrained' needs the ranking of the untrained model")
    other = _checked(untrained, "untrained ranking").set_index(["qid", "docid"])["rank"]
    keys = pd.MultiIndex.from_frame(frame[["qid", "docid"]])
    if len(other) != len(keys) or not keys.isin(other.index).all():
        raise InputError("untrained ranking: its candidates differ from those of the ranking")
    return pd.Series(other.reindex(keys).to_numpy(), index=frame.index)


def _checked(ranking: pd.DataFrame, name: str) -> pd.DataFrame:
    lacking = [column for column in _COLUMNS if column not in ranking]
    if lacking:
        raise InputError(f"{name}: column {lacking[0]!r} is missing")
    if ranking.empty:
        raise InputError(f"{name}: it is empty")
    frame = ranking[_COLUMNS].reset_index(drop=True)
    if not np.isfinite(frame["score"].to_numpy(dtype=float)).all():
        bad = frame.loc[~np.isfinite(frame["score"].astype(float))].iloc[0]
        raise InputError(
            f"{name}: query {bad['qid']}: document {bad['docid']} has a score that is not finite"
        )
    repeated = frame[frame.duplicated(["qid", "docid"])]
    if len(repeated):
        bad = repeated.iloc[0]
        raise InputError(f"{name}: query {bad['qid']}: document {bad['docid']} appears twice")
    frame["size"] = frame.groupby("qid")["docid"].transform("size")
    for column in ("position", "rank"):
        ordered = frame.sort_values(["qid", column])
        wrong = ordered[column] != ordered.groupby("qid").cumcount() + 1
        if wrong.any():
            raise InputError(
                f"{name}: query {ordered.loc[wrong, 'qid'].iloc[0]}: {column} does not count from 1 to N"
            )
    return frame


def _adjacent_ratio(falling: Floats) -> float | None:
    steps = np.abs(np.diff(falling))
    first, last = zone_bounds(len(falling))
    ranks = np.arange(1, len(falling))  # step r leads from rank r to rank r + 1
    inside = (ranks >= first) & (ranks <= last)
    if not inside.any() or inside.all() or steps[~inside].mean() == 0:
        return None
    return float(steps[inside].mean() / steps[~inside].mean())


def _query_keys(documents: pd.DataFrame) -> list[str]:
    return ["benchmark", "qid"] if "benchmark" in documents else ["qid"]


def _counts(documents: pd.DataFrame) -> pd.DataFrame:
    """Per query: numbers of relevant and irrelevant zone documents and of those promoted among them."""
    counts = {}
    for group in ("relevant", "irrelevant"):
        member = documents["group"] == group
        counts[group] = member
        counts[f"{group}_promoted"] = member & documents["promoted"]
    keys = _query_keys(documents)
    return pd.DataFrame(counts).groupby([documents[key] for key in keys]).sum()


def _share(counts: pd.DataFrame, group: str, average: Average) -> float:
    present = counts[counts[group] > 0]
    if present.empty:
        return float("nan")
    if average == "pooled":
        return float(present[f"{group}_promoted"].sum() / present[group].sum())
    return float((present[f"{group}_promoted"] / present[group]).mean())


def _terms(counts: pd.DataFrame, average: Average) -> Floats:
    """One term per query (n_queries,); their sum is the gap."""
    terms = np.zeros(len(counts))
    for group, sign in (("relevant", 1.0), ("irrelevant", -1.0)):
        members = counts[group].to_numpy(dtype=float)
        promoted = counts[f"{group}_promoted"].to_numpy(dtype=float)
        if average == "pooled":
            terms += sign * promoted / members.sum()
        else:
            terms += sign * promoted / np.maximum(members, 1) / (members > 0).sum()
    return terms
