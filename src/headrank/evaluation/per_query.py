"""Metrics of every query of a study: of its first stage, of the bounds for reranking it, and of its runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from headrank.evaluation.bounds import bounds
from headrank.evaluation.evaluate import evaluate
from headrank.evaluation.metric import Metric, Qrels, Run
from headrank.evaluation.metrics import MetricEntry, read_metrics

Cell = tuple[str, str, str]
"""(backbone, benchmark, method) of a ranking."""

FIRST_STAGE = "bm25"


def per_query(
    first_stage: Mapping[str, Run],
    reranked: Mapping[str, Run],
    runs: Iterable[tuple[Cell, Run]],
    qrels: Mapping[str, Qrels],
    metrics: Sequence[MetricEntry],
) -> pd.DataFrame:
    """A row per benchmark, method, query and metric: backbone, benchmark, method, qid, metric (its title), value.

    first_stage: the run of each benchmark, which has no backbone. reranked: the part of it that is reranked, for which
    bounds are computed; a benchmark missing here has none, nor have metrics that reach beyond that part. runs: each
    with its cell, read one at a time.
    """
    asked = read_metrics(metrics)
    parts = []
    for benchmark, run in first_stage.items():
        judged = qrels[benchmark]
        found = [evaluate(run, judged, asked).assign(method=FIRST_STAGE)]
        if benchmark in reranked:
            docids = {qid: [docid for docid, _ in ranked] for qid, ranked in reranked[benchmark].items()}
            found.append(bounds(docids, judged, _within(asked, docids, run)))
        parts += [part.assign(backbone="", benchmark=benchmark) for part in found]
    for (backbone, benchmark, method), run in runs:
        values = evaluate(run, qrels[benchmark], asked)
        parts.append(values.assign(backbone=backbone, benchmark=benchmark, method=method))
    whole = pd.concat(parts, ignore_index=True)
    whole["metric"] = whole["metric"].map({metric.name: metric.title for metric in asked})
    return whole[["backbone", "benchmark", "method", "qid", "metric", "value"]]


def _within(metrics: Sequence[Metric], reranked: Mapping[str, Sequence[str]], run: Run) -> list[Metric]:
    """The metrics that see no more ranks than are reranked, where candidates follow behind those in a fixed order."""
    cut = [
        len(reranked.get(qid, ())) for qid, ranked in run.items() if len(ranked) > len(reranked.get(qid, ()))
    ]
    return [metric for metric in metrics if not cut or (metric.cutoff or math.inf) <= min(cut)]


def only(values: pd.DataFrame, metric: MetricEntry) -> pd.DataFrame:
    """The rows of one metric of a frame that ``per_query`` made."""
    (asked,) = read_metrics([metric])
    return values[values["metric"] == asked.title]
