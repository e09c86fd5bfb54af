"""Middle-zone selectivity (R12): does training lift the relevant documents of the middle, and only those?

A zone document is promoted when it ends among the first N/4. A ranker that ignores relevance promotes a quarter of the
relevant and of the irrelevant documents alike (for N divisible by 4): the gap between the two shares is the
selectivity. Frames of zone documents of several benchmarks may be concatenated with an additional column ``benchmark``,
which then distinguishes equal query ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from headrank.errors import InputError
from headrank.evaluation.middle_zone import ZoneSettings, annotate
from headrank.evaluation.significance import Resampling, sign_flip_test

Average = Literal["pooled", "macro"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Promotion:
    """Shares of the zone's documents that reached the top quartile; NaN for a group without documents."""

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
    frame = annotate(ranking, qrels, settings, untrained)
    frame = frame[frame["in_zone"] & (frame["group"] != "")]
    promoted = (frame["rank"] + 1) * 4 <= frame["size"]
    return frame[["qid", "docid", "group"]].assign(promoted=promoted).reset_index(drop=True)


def promotion(documents: pd.DataFrame, average: Average = "pooled") -> Promotion:
    """Promotion of zone documents, over all documents at once or as the mean over queries.

    The macro mean of a group runs over the queries that have documents of that group in the zone.
    """
    counts = zone_counts(documents)
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
    terms = _terms(zone_counts(after), average) - _terms(zone_counts(before), average)
    return GapTest(first.gap, second.gap, sign_flip_test(terms, settings), first.n_queries)


def _query_keys(documents: pd.DataFrame) -> list[str]:
    return ["benchmark", "qid"] if "benchmark" in documents else ["qid"]


def zone_counts(documents: pd.DataFrame) -> pd.DataFrame:
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
