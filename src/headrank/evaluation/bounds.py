"""What reranking given candidates can give: the value of a random order, and that of the best order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headrank.evaluation.metric import JudgedList, Qrels
from headrank.evaluation.metrics import MetricEntry, read_metrics

if TYPE_CHECKING:
    import pandas as pd

RANDOM_ORDER, BEST_ORDER = "random-order", "best-order"


def bounds(
    candidates: Mapping[str, Sequence[str]],
    qrels: Qrels,
    metrics: Sequence[MetricEntry],
) -> pd.DataFrame:
    """Metrics of every judged query if its candidates are ordered at random (the expected value) and as well as can be.

    candidates: query id -> document ids; a query without any counts as 0, as in ``evaluate``. Columns: method
    (``random-order``, ``best-order``), qid, metric, value. A metric without bounds has no rows; no metrics give no
    rows. Raises InputError as ``read_metrics`` does.
    """
    # Imported only here, so that the names of these orders can be imported at little cost.
    import pandas as pd

    asked, rows = read_metrics(metrics) if metrics else (), []
    for qid, judged in qrels.items():
        docids = candidates.get(qid, ())
        for metric in asked:
            if metric.kind.bounds is None:
                continue
            given = JudgedList(docids, judged, metric.cutoff, metric.level)
            random, best = metric.kind.bounds(given) if docids else (0.0, 0.0)
            rows += [(RANDOM_ORDER, qid, metric.name, random), (BEST_ORDER, qid, metric.name, best)]
    return pd.DataFrame(rows, columns=["method", "qid", "metric", "value"])
