"""Is the first stage the published one? Measured nDCG@10 and recall@100 next to published figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from headrank.data.trec import Qrels, Run
from headrank.errors import InputError
from headrank.evaluation.evaluate import evaluate, means
from headrank.evaluation.metrics import read_metrics

METRICS = {"ndcg": "ndcg@10", "recall": "recall@100"}


def measure_first_stage(
    name: str, run: Run, qrels: Qrels, published: Mapping[str, float | None], stage: str
) -> pd.DataFrame:
    """One row per metric: collection, stage (where the run comes from), queries, depth, metric, value, published.

    Means over all judged queries, those without candidates counting 0. ``published`` (ndcg, recall) is NaN where no
    figure is known or lists are too short to compare with it. ``depth`` is that of the longest list.
    """
    metrics = read_metrics(METRICS.values())
    found = means(evaluate(run, qrels, metrics))
    depth = max(map(len, run.values()), default=0)
    rows = [
        {
            "collection": name,
            "stage": stage,
            "queries": len(qrels),
            "depth": depth,
            "metric": metric.title,
            "value": found[metric.name],
            "published": published.get(key) if depth >= (metric.cutoff or 0) else None,
        }
        for key, metric in zip(METRICS, metrics, strict=True)
    ]
    return pd.DataFrame(rows).astype({"published": float})


def check_first_stage(measured: pd.DataFrame, tolerance: float | None) -> None:
    """InputError naming every collection whose figure is off its published one by more than ``tolerance``.

    A wrong first stage (another index, other queries, documents missing) would spoil everything after it, silently.
    """
    if tolerance is None:
        return
    off = measured[(measured["value"] - measured["published"]).abs() > tolerance]
    told = [
        f"{row['collection']} {row['metric']} {row['value']:.4f} instead of {row['published']:.4f} ({row['stage']})"
        for row in map(dict[Any, Any], off.to_dict("records"))
    ]
    if told:
        raise InputError(
            f"first stage: off the published figures by more than {tolerance}: {'; '.join(told)}; check that queries, "
            "judgements and documents are complete, or set first_stage.tolerance"
        )
