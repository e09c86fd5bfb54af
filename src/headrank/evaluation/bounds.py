"""Between what values any reranking of given candidates lies: their order at random, and the best one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headrank.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

RANDOM_ORDER, BEST_ORDER = "random-order", "best-order"


def ndcg_bounds(
    candidates: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]], cutoff: int
) -> pd.DataFrame:
    """nDCG of every judged query if its candidates are ordered at random (the expected value) and as well as can be.

    candidates: query id -> document ids; a query without any counts as 0, as ``evaluation.evaluate`` has it, whose
    linear gains and ideal ranking these are too. Columns: method (``random-order``, ``best-order``), qid, value. Raises
    InputError for a cutoff below 1.
    """
    # Only here, so that the names of these orders can be had at little cost.
    import pandas as pd

    if cutoff < 1:
        raise InputError(f"cutoff: {cutoff} is below 1")
    discounts = [1 / math.log2(rank + 1) for rank in range(1, cutoff + 1)]

    def gained(gains: Sequence[int]) -> float:
        return sum(gain * discount for gain, discount in zip(gains, discounts, strict=False))

    rows = []
    for qid, judged in qrels.items():
        ideal = gained(sorted((max(grade, 0) for grade in judged.values()), reverse=True))
        gains = sorted((max(judged.get(docid, 0), 0) for docid in candidates.get(qid, ())), reverse=True)
        # At random every place holds the mean gain.
        random = sum(gains) / len(gains) * sum(discounts[: len(gains)]) if gains else 0.0
        for method, value in ((RANDOM_ORDER, random), (BEST_ORDER, gained(gains))):
            rows.append((method, qid, value / ideal if ideal else 0.0))
    return pd.DataFrame(rows, columns=["method", "qid", "value"])
