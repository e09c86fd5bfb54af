"""Effectiveness per query, averaged over all judged queries; the metrics are those of ``evaluation.metrics``.

Rules that give the published figures: the mean is over every query with judgements, and a query that the run lacks
counts as 0 (``trec_eval -c``; pytrec_eval silently leaves it out); the order is that of the run's list, which
``data.trec.read_run`` sets as trec_eval does. On the TREC Deep Learning sets a document is relevant from grade 2 on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from headrank.errors import InputError
from headrank.evaluation.metric import NAN, JudgedList, Metric, Qrels, Run
from headrank.evaluation.metrics import MetricEntry, read_metrics

logger = logging.getLogger(__name__)


def evaluate(
    run: Run,
    qrels: Qrels,
    metrics: Sequence[MetricEntry],
) -> pd.DataFrame:
    """Evaluate a run: one row per judged query and metric, columns ``qid``, ``metric`` (its name), ``value``.

    Queries are in the order of ``qrels``, metrics in the order given; every value is finite. Queries of the run without
    judgements are named in the log and left out. Raises InputError on metrics that ``read_metrics`` refuses, a document
    listed twice, a score that is not finite or that rises along the list, and a run that shares no query with the
    judgements.
    """
    asked = read_metrics(metrics)
    for qid, documents in run.items():
        _check(qid, documents)
    judged = [qid for qid in qrels if run.get(qid)]
    if not judged:
        raise InputError("run and qrels share no query; they belong to different collections")
    missing = [qid for qid in qrels if not run.get(qid)]
    unjudged = [qid for qid in run if qid not in qrels]
    for queries, what in (
        (missing, "are missing from the run and count as 0"),
        (unjudged, "have no judgements"),
    ):
        if queries:
            logger.warning("%d queries %s: %s", len(queries), what, ", ".join(queries[:20]))

    ranked = {qid: [docid for docid, _ in run.get(qid, ())] for qid in qrels}
    values = _trec_values(ranked, qrels, judged, asked)
    rows = []
    for qid, docids in ranked.items():
        for metric in asked:
            # A query whose judgements are an empty mapping has no values there.
            found = values[metric.level].get(qid, {}) if docids and metric.measure else None
            trec = NAN if found is None else found.get(metric.measure, 0.0)
            given = JudgedList(docids, qrels[qid], metric.cutoff, metric.level, trec)
            rows.append((qid, metric.name, metric.kind.value(given) if docids else 0.0))
    frame = pd.DataFrame(rows, columns=["qid", "metric", "value"])
    if not np.isfinite(frame["value"]).all():
        raise ArithmeticError("a metric came out as not finite")  # guarded above; never reached by bad input
    return frame


def means(frame: pd.DataFrame) -> dict[str, float]:
    """Mean of each metric over the queries of a frame that ``evaluate`` made, in the order of the metrics."""
    return {
        str(name): float(value) for name, value in frame.groupby("metric", sort=False)["value"].mean().items()
    }


def _check(qid: str, documents: Sequence[tuple[str, float]]) -> None:
    seen: set[str] = set()
    previous = math.inf
    for docid, score in documents:
        if docid in seen:
            raise InputError(f"run: query {qid}: document {docid} appears twice")
        if not math.isfinite(score):
            raise InputError(f"run: query {qid}: document {docid} has the score {score}, which is not finite")
        # In float32, because a run read from a file is ordered in float32.
        with np.errstate(over="ignore"):
            single = float(np.float32(score))
        if single > previous:
            raise InputError(
                f"run: query {qid}: scores rise at document {docid}; list the best document first"
            )
        seen.add(docid)
        previous = single


def _trec_values(
    ranked: Mapping[str, Sequence[str]],
    qrels: Qrels,
    judged: Sequence[str],
    metrics: Sequence[Metric],
) -> dict[int, dict[str, dict[str, float]]]:
    """Relevance level -> query -> measure of ``pytrec_eval`` -> value."""
    import pytrec_eval

    measures: dict[int, set[str]] = {}
    for metric in metrics:
        if metric.measure:
            measures.setdefault(metric.level, set()).add(metric.measure)
    # Scores that count down from the length of the list leave trec_eval no tie to break by document id.
    ordered = {
        qid: {docid: float(len(ranked[qid]) - i) for i, docid in enumerate(ranked[qid])} for qid in judged
    }
    # Grades below 0 gain nothing and are irrelevant to every measure; a query that has none above -2 would crash
    # trec_eval (usnistgov/trec_eval#29).
    grades = {qid: {docid: max(int(grade), 0) for docid, grade in qrels[qid].items()} for qid in judged}
    return {
        level: pytrec_eval.RelevanceEvaluator(grades, names, relevance_level=level).evaluate(ordered)
        for level, names in measures.items()
    }
