"""The middle zones of a study's rankings: what share of their documents each method promotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from headrank.evaluation.metric import NAN, Qrels
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.per_query import Cell
from headrank.evaluation.selectivity import gap_test, promotion, zone_documents
from headrank.evaluation.significance import Resampling

TRAINED, UNTRAINED = "headrank", "headrank-untrained"


def promoted_shares(
    rankings: Mapping[Cell, pd.DataFrame],
    qrels: Mapping[str, Qrels],
    zone: ZoneSettings,
    settings: Resampling,
    averages: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """A row per backbone, method and group ("relevant", "irrelevant") of middle-zone documents, over all benchmarks.

    rankings: they must include each backbone's ``headrank-untrained``. Columns: backbone, method, group, promoted
    (share of all documents), low, high (Wilson interval), n (documents), macro (mean share over queries), p (one-sided
    test that HeadRank's gap is wider than before training; NaN for other methods), and ``gap_NAME`` for each average:
    relevant minus irrelevant share over the documents of its benchmarks, NaN where one of them was not ranked.
    """
    parts: dict[tuple[str, str], list[pd.DataFrame]] = {}
    ranked: dict[tuple[str, str], set[str]] = {}
    for (backbone, benchmark, method), ranking in rankings.items():
        untrained = rankings[backbone, benchmark, UNTRAINED]
        documents = zone_documents(ranking, qrels[benchmark], zone, untrained)
        parts.setdefault((backbone, method), []).append(documents.assign(benchmark=benchmark))
        ranked.setdefault((backbone, method), set()).add(benchmark)
    zones = {key: pd.concat(documents, ignore_index=True) for key, documents in parts.items()}
    greater = replace(settings, alternative="greater")
    rows: list[tuple[object, ...]] = []
    for (backbone, method), documents in zones.items():
        p = NAN
        if method == TRAINED:
            p = gap_test(zones[backbone, UNTRAINED], documents, settings=greater).p
        gaps = [
            promotion(documents[documents["benchmark"].isin(names)]).gap
            if ranked[backbone, method].issuperset(names)
            else NAN
            for names in averages.values()
        ]
        pooled, macro = promotion(documents), promotion(documents, "macro")
        for group, share, n, mean in (
            ("relevant", pooled.relevant, pooled.n_relevant, macro.relevant),
            ("irrelevant", pooled.irrelevant, pooled.n_irrelevant, macro.irrelevant),
        ):
            low, high = wilson(share, n, settings.alpha)
            rows.append((backbone, method, group, share, low, high, n, mean, p, *gaps))
    columns = ["backbone", "method", "group", "promoted", "low", "high", "n", "macro", "p"]
    return pd.DataFrame(rows, columns=[*columns, *(f"gap_{name}" for name in averages)])


def wilson(share: float, n: int, alpha: float) -> tuple[float, float]:
    """Wilson's interval at 1 - alpha of a share of n; the share itself if n is 0."""
    if not n:
        return share, share
    low, high = proportion_confint(round(share * n), n, alpha, method="wilson")
    return low, high
