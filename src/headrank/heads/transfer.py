"""Whether heads found on one collection work on another: chosen by each head's own nDCG, tested on other queries."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from headrank.evaluation.evaluate import evaluate
from headrank.evaluation.metrics import MetricEntry
from headrank.heads.criteria import Array, ndcg_of_heads
from headrank.heads.replay import StoredMasses

if TYPE_CHECKING:
    from headrank.data.trec import Qrels


def transfer(
    stored: Mapping[str, StoredMasses],
    qrels: Mapping[str, Qrels],
    count: int,
    metric: MetricEntry = "ndcg@10",
) -> pd.DataFrame:
    """A metric of heads found on one benchmark (source) on each benchmark, itself included.

    The ``count`` heads with the best mean nDCG@10, each used alone, on half of the source's queries rank the other half
    of the target's, as HeadRank without training; then the halves are swapped. A query belongs to the same half
    wherever it occurs, so that none is ranked by heads that were chosen on it. Columns: source, benchmark, value (mean
    over the target's queries). A pair without a query that can be evaluated in this way has no row.
    """
    alone = {name: _alone(one, qrels[name]) for name, one in stored.items()}
    rows = []
    for source, by_query in alone.items():
        chosen = {}
        for half in (0, 1):
            found = [values for qid, values in by_query.items() if _half(qid) == half]
            if found:
                best = np.argsort(-np.mean(found, axis=0), kind="stable")[:count]
                n_heads = stored[source].n_heads
                chosen[half] = [(int(h) // n_heads, int(h) % n_heads) for h in best]
        for name, one in stored.items():
            values = []
            for half, heads in chosen.items():
                others = {qid: judged for qid, judged in qrels[name].items() if _half(qid) != half}
                run = {qid: ranking for qid, ranking in one.run(heads).items() if qid in others}
                if run:
                    values += evaluate(run, others, [metric])["value"].tolist()
            if values:
                rows.append((source, name, float(np.mean(values))))
    return pd.DataFrame(rows, columns=["source", "benchmark", "value"])


def _half(qid: str) -> int:
    return zlib.crc32(qid.encode()) % 2


def _alone(stored: StoredMasses, qrels: Qrels) -> dict[str, Array]:
    """(heads,) nDCG@10 of each head alone, for every query with a relevant candidate."""
    found = {}
    for (qid, docids, _, _), shares in zip(stored.queries, stored.shares, strict=True):
        judged = qrels.get(qid, {})
        grades = np.array([judged.get(docid, 0) for docid in docids], dtype=np.int64)
        if len(grades) and grades.max() > 0:
            found[qid] = ndcg_of_heads(shares, grades)
    return found
