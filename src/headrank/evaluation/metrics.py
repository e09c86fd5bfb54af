"""Effectiveness per query through ``pytrec_eval``, averaged over all judged queries.

Rules under which published figures come out: the mean runs over every query with judgements, and one that
the run lacks counts as 0 (``trec_eval -c``; pytrec_eval silently leaves it out); nDCG uses all grades with
linear gains, negative ones as 0; binary measures count grades from ``relevance_level`` on (2 on the TREC
Deep Learning sets); the order is that of the run's list, which ``runs.read_run`` sets as trec_eval does.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from headrank.errors import InputError

logger = logging.getLogger(__name__)

_TREC_NAMES = {"ndcg": "ndcg_cut", "recall": "recall", "precision": "P", "map": "map", "rr": "recip_rank"}
_NEEDS_CUTOFF = {"ndcg", "recall", "precision", "judged"}
_ALLOWS_CUTOFF = {*_NEEDS_CUTOFF, "rr"}

MetricName = str
"""``ndcg@K``, ``recall@K``, ``precision@K``, ``judged@K``, ``map``, ``rr`` or ``rr@K``."""


def evaluate(
    run: Mapping[str, Sequence[tuple[str, float]]],
    qrels: Mapping[str, Mapping[str, int]],
    metrics: Sequence[MetricName],
    relevance_level: int = 1,
) -> pd.DataFrame:
    """Evaluate a run: one row per judged query and metric, columns ``qid``, ``metric``, ``value``.

    Queries stand in the order of ``qrels``, metrics in the order given; every value is finite. ``judged@K``
    is the share of the first K documents that have a judgement. Queries of the run without judgements are
    named in the log and left out. Raises InputError on an unknown metric, a document listed twice, a score
    that is not finite or that rises along the list, and a run that shares no query with the judgements.
    """
    parsed = {name: _parse(name) for name in metrics}
    if not parsed:
        raise InputError("metrics: none given, nothing to evaluate")
    if relevance_level < 1:
        raise InputError(
            f"relevance_level: {relevance_level} would make judged-irrelevant documents relevant"
        )
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

    values = _trec_values(run, qrels, judged, parsed, relevance_level)
    rows = [
        (qid, name, _value(name, parsed[name], values.get(qid), run.get(qid, ()), qrels[qid]))
        for qid in qrels
        for name in parsed
    ]
    frame = pd.DataFrame(rows, columns=["qid", "metric", "value"])
    if not np.isfinite(frame["value"]).all():
        raise ArithmeticError("a metric came out as not finite")  # guarded above; never reached by bad input
    return frame


def means(frame: pd.DataFrame) -> dict[MetricName, float]:
    """Mean of each metric over the queries of a frame that ``evaluate`` made, in the order of the metrics."""
    return {
        str(name): float(value) for name, value in frame.groupby("metric", sort=False)["value"].mean().items()
    }


def _parse(name: MetricName) -> tuple[str, int | None]:
    match = re.fullmatch(r"([a-z]+)(?:@([1-9][0-9]*))?", name)
    kind, cutoff = (match[1], match[2]) if match else (name, None)
    known = {*_TREC_NAMES, "judged"}
    if kind not in known or (cutoff and kind not in _ALLOWS_CUTOFF) or (not cutoff and kind in _NEEDS_CUTOFF):
        raise InputError(
            f"metric {name!r} is not known; use ndcg@K, recall@K, precision@K, judged@K, map, rr or rr@K"
        )
    return kind, int(cutoff) if cutoff else None


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
    run: Mapping[str, Sequence[tuple[str, float]]],
    qrels: Mapping[str, Mapping[str, int]],
    judged: Sequence[str],
    parsed: Mapping[MetricName, tuple[str, int | None]],
    relevance_level: int,
) -> dict[str, dict[str, float]]:
    import pytrec_eval

    measures = {
        f"{_TREC_NAMES[kind]}.{cutoff}" if kind in _NEEDS_CUTOFF else _TREC_NAMES[kind]
        for kind, cutoff in parsed.values()
        if kind != "judged"
    }
    if not measures:
        return {}
    # Scores that count down from the length of the list leave trec_eval no tie to break by document id.
    ordered = {
        qid: {docid: float(len(run[qid]) - i) for i, (docid, _) in enumerate(run[qid])} for qid in judged
    }
    grades = {qid: {docid: int(grade) for docid, grade in qrels[qid].items()} for qid in judged}
    evaluator = pytrec_eval.RelevanceEvaluator(grades, measures, relevance_level=relevance_level)
    values: dict[str, dict[str, float]] = evaluator.evaluate(ordered)
    return values


def _value(
    name: MetricName,
    metric: tuple[str, int | None],
    values: Mapping[str, float] | None,
    documents: Sequence[tuple[str, float]],
    grades: Mapping[str, int],
) -> float:
    kind, cutoff = metric
    if not documents:
        return 0.0
    if kind == "judged":
        top = documents[:cutoff]
        return sum(docid in grades for docid, _ in top) / len(top)
    assert values is not None, name
    if kind == "rr":
        value = values["recip_rank"]
        return value if cutoff is None or value * cutoff >= 1 - 1e-9 else 0.0
    return values[_TREC_NAMES[kind] if cutoff is None else f"{_TREC_NAMES[kind]}_{cutoff}"]
