"""Bootstrap of any statistic of sums over queries; the queries are drawn within each benchmark.

``significance.bootstrap_interval`` is the special case of a mean of means; a count of benchmarks won, or a ratio of
pooled counts, needs the sums themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headrank.errors import InputError
from headrank.evaluation.significance import Resampling

Floats = npt.NDArray[np.float64]

# Draws are made in blocks of about this many numbers, so that memory does not grow with the queries.
_BLOCK = 4_000_000


def drawn_sums(strata: Sequence[npt.ArrayLike], settings: Resampling | None = None) -> Floats:
    """Column sums over each benchmark's queries, drawn with replacement: (n_resamples, n_strata, n_columns).

    Each resample draws as many queries as the benchmark has. strata: per benchmark one row per query and the same
    columns, (n_queries, n_columns). Raises InputError for a benchmark without queries.
    """
    settings = settings or Resampling()
    tables = [np.asarray(values, dtype=np.float64) for values in strata]
    if not tables or any(len(values) == 0 for values in tables):
        raise InputError("bootstrap: a benchmark without queries cannot be resampled")
    rng = np.random.default_rng(settings.seed)
    sums = np.empty((settings.n_resamples, len(tables), tables[0].shape[1]))
    for number, values in enumerate(tables):
        queries = len(values)
        block = max(1, _BLOCK // queries)
        for start in range(0, settings.n_resamples, block):
            rows = min(block, settings.n_resamples - start)
            drawn = rng.integers(0, queries, (rows, queries)) + queries * np.arange(rows)[:, None]
            times = np.bincount(drawn.ravel(), minlength=rows * queries).reshape(rows, queries)
            sums[start : start + rows, number] = times @ values
    return sums


def percentile_interval(statistics: npt.ArrayLike, settings: Resampling | None = None) -> tuple[float, float]:
    """Percentile interval at 1 - alpha of resampled statistics (n,); each end is one of them.

    Resamples in which the statistic does not exist (NaN) are left out.
    """
    settings = settings or Resampling()
    levels = [settings.alpha / 2, 1 - settings.alpha / 2]
    low, high = np.nanquantile(np.asarray(statistics, dtype=np.float64), levels, method="inverted_cdf")
    return float(low), float(high)
