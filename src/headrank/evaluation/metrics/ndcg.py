"""nDCG: linear gains and logarithmic discounts, over all grades; negative ones gain nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headrank.evaluation.metric import JudgedList, Kind


def bounds(given: JudgedList) -> tuple[float, float]:
    """In random order every rank has the mean gain in expectation; in the best order gains decrease."""
    assert given.cutoff is not None
    discounts = [1 / math.log2(rank + 1) for rank in range(1, given.cutoff + 1)]

    def gained(gains: Sequence[int]) -> float:
        return sum(gain * discount for gain, discount in zip(gains, discounts, strict=False))

    ideal = gained(sorted((max(grade, 0) for grade in given.grades.values()), reverse=True))
    if not ideal:
        return 0.0, 0.0
    gains = sorted((max(given.grades.get(docid, 0), 0) for docid in given.docids), reverse=True)
    random = sum(gains) / len(gains) * sum(discounts[: len(gains)])
    return random / ideal, gained(gains) / ideal


METRIC = Kind("nDCG", cutoff="required", graded=True, measure="ndcg_cut_{cutoff}", bounds=bounds)
