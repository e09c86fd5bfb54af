"""Paired randomisation tests over queries, Holm's correction, bootstrap intervals, marks for tables.

A comparison of two methods on one benchmark has one difference per query; under the null hypothesis each
could as well have the other sign (Fisher's randomisation, recommended for retrieval by Smucker, Allan and
Carterette, CIKM 2007). For the unweighted mean over several benchmarks the statistic is the mean of the
benchmarks' mean differences, and signs flip query by query within each benchmark. That statistic is the sum
of w * difference with w = 1 / (benchmarks * queries of the benchmark), so one test on the weighted
differences serves both cases, and every benchmark counts the same however many queries it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from headrank.errors import InputError, UsageError

Alternative = Literal["two-sided", "greater", "less"]
Floats = npt.NDArray[np.float64]

MEAN = "mean"
"""The name of the column that holds the unweighted mean over benchmarks."""

# Resamples are drawn in blocks of about this many numbers, so that memory does not grow with the queries.
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Resampling:
    """How tests are run: resamples of the randomisation and of the bootstrap, level, sidedness and seed."""

    n_resamples: int = 10_000
    alpha: float = 0.05
    alternative: Alternative = "two-sided"
    seed: int = 0


def randomisation_test(differences: Sequence[npt.ArrayLike], settings: Resampling | None = None) -> float:
    """p-value of the unweighted mean of the strata's mean differences under random sign flips.

    ``differences`` has one list of per-query differences for each benchmark (one list: the plain paired
    test). All sign patterns are enumerated where there are no more of them than ``n_resamples``; else p =
    (hits + 1) / (resamples + 1), never 0. Raises InputError on an empty list or a difference that is not
    finite.
    """
    return sign_flip_test(_weighted(_strata(differences)), settings)


def sign_flip_test(contributions: npt.ArrayLike, settings: Resampling | None = None) -> float:
    """p-value of a sum whose terms (n,) are independent and symmetric about 0 under the null hypothesis."""
    from scipy.stats import permutation_test

    settings = settings or Resampling()
    values = np.asarray(contributions, dtype=np.float64)
    values = values[values != 0]  # a sign flipped on a zero changes nothing
    if len(values) == 0:
        return 1.0
    if len(values) == 1:  # scipy wants two observations at least; one sign has two outcomes
        return 1.0 if settings.alternative == "two-sided" else _one_sign(values[0], settings.alternative)
    result = permutation_test(
        (values,),
        lambda sample, axis: np.sum(sample, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=settings.n_resamples,
        batch=max(1, _BLOCK // len(values)),
        alternative=settings.alternative,
        rng=np.random.default_rng(settings.seed),
    )
    return float(result.pvalue)


def _one_sign(value: float, alternative: Alternative) -> float:
    return 0.5 if (value > 0) == (alternative == "greater") else 1.0


def bootstrap_interval(
    differences: Sequence[npt.ArrayLike], settings: Resampling | None = None
) -> tuple[float, float]:
    """Percentile interval at 1 - alpha of the unweighted mean of mean differences.

    Queries are drawn with replacement within each benchmark. scipy's bootstrap has no strata, hence this one.
    """
    settings = settings or Resampling()
    strata = _strata(differences)
    rng = np.random.default_rng(settings.seed)
    total = np.zeros(settings.n_resamples)
    for values in strata:
        block = max(1, _BLOCK // len(values))
        for start in range(0, settings.n_resamples, block):
            rows = min(block, settings.n_resamples - start)
            drawn = values[rng.integers(0, len(values), (rows, len(values)))]
            total[start : start + rows] += drawn.mean(axis=1)
    low, high = np.quantile(total / len(strata), [settings.alpha / 2, 1 - settings.alpha / 2])
    return float(low), float(high)


def mean_of_means(strata: Sequence[Floats]) -> float:
    """The unweighted mean over benchmarks of their means over queries."""
    return float(np.mean([values.mean() for values in strata]))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values of one family, in the order given."""
    if len(p_values) == 0:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def compare(
    values: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    settings: Resampling | None = None,
    family: Literal["benchmark", "table"] = "benchmark",
    averages: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Test a family of (method, baseline) pairs on each benchmark, on the mean over all and on further means.

    ``values`` holds one metric of one backbone: columns ``benchmark``, ``method``, ``qid``, ``value``. The
    result has a row per pair and benchmark, and with two or more benchmarks a row per pair for ``MEAN``:
    ``benchmark``, ``method``, ``baseline``, ``n_queries``, ``value``, ``baseline_value``, ``difference``,
    ``low``, ``high``, ``p``, ``p_holm``, ``significant``. ``averages``: further means by name, each over the
    benchmarks that it lists. A pair has no row where one of the two was not evaluated on a benchmark at all. Holm's
    correction runs over the pairs of one benchmark (a mean is a family of its own), or over the whole table. Raises
    InputError where a method is unknown, no pair can be tested, or two methods were not evaluated on the same
    queries.
    """
    settings = settings or Resampling()
    if not pairs:
        raise UsageError("pairs: no comparison given")
    for method, baseline in pairs:
        if method == baseline:
            raise UsageError(f"pairs: {method} is compared with itself")
    wide = _by_query(values)
    benchmarks = [str(name) for name in dict.fromkeys(values["benchmark"])]
    averages = averages or {}
    if MEAN in {*benchmarks, *averages}:
        raise InputError(f"benchmark {MEAN!r}: this name is reserved for the mean over benchmarks; rename it")
    panels: dict[str, Sequence[str]] = {name: [name] for name in benchmarks}
    panels |= {MEAN: benchmarks} if len(benchmarks) > 1 else {}
    panels |= averages
    there = {
        (benchmark, method)
        for benchmark, method in values[["benchmark", "method"]].drop_duplicates().itertuples(index=False)
    }
    known = {method for _, method in there}
    rows = []
    for benchmark, members in panels.items():
        for method, baseline in pairs:
            both = {(member, name) for member in members for name in (method, baseline)}
            if {method, baseline} <= known and not both <= there:
                continue
            ours = [_column(wide, member, method, baseline) for member in members]
            theirs = [_column(wide, member, baseline, method) for member in members]
            differences = [a - b for a, b in zip(ours, theirs, strict=True)]
            low, high = bootstrap_interval(differences, settings)
            rows.append(
                {
                    "benchmark": benchmark,
                    "method": method,
                    "baseline": baseline,
                    "n_queries": sum(map(len, differences)),
                    "value": mean_of_means(ours),
                    "baseline_value": mean_of_means(theirs),
                    "difference": mean_of_means(differences),
                    "low": low,
                    "high": high,
                    "p": randomisation_test(differences, settings),
                }
            )
    if not rows:
        raise InputError("pairs: no two of the methods were evaluated on the same benchmark")
    frame = pd.DataFrame(rows)
    families = frame.groupby("benchmark")["p"] if family == "benchmark" else frame.groupby(lambda _: 0)["p"]
    frame["p_holm"] = families.transform(lambda p: holm(p.tolist()))
    frame["significant"] = frame["p_holm"] < settings.alpha
    return frame


def _strata(differences: Sequence[npt.ArrayLike]) -> list[Floats]:
    strata = [np.asarray(values, dtype=np.float64) for values in differences]
    if not strata or any(values.size == 0 for values in strata):
        raise InputError("differences: a benchmark without queries cannot be tested")
    if any(values.ndim != 1 for values in strata):
        raise InputError("differences: expected one list of differences per benchmark")
    if not all(np.isfinite(values).all() for values in strata):
        raise InputError("differences: a value is not finite")
    return strata


def _weighted(strata: Sequence[Floats]) -> Floats:
    return np.concatenate([values / (len(strata) * len(values)) for values in strata])


def _by_query(values: pd.DataFrame) -> pd.DataFrame:
    keys = ["benchmark", "qid", "method"]
    lacking = [column for column in [*keys, "value"] if column not in values]
    if lacking:
        raise InputError(f"values: column {lacking[0]!r} is missing")
    repeated = values[values.duplicated(keys)]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputError(
            f"values: query {first['qid']} of {first['benchmark']} has two values for {first['method']}; "
            "give one metric and one backbone at a time"
        )
    return values.pivot(index=["benchmark", "qid"], columns="method", values="value")


def _column(wide: pd.DataFrame, benchmark: str, method: str, other: str) -> Floats:
    for name in (method, other):
        if name not in wide:
            raise UsageError(f"method {name!r} was not evaluated; known: {', '.join(map(str, wide.columns))}")
    both = wide.loc[[benchmark], [method, other]].droplevel("benchmark")
    lacking = [qid for qid, absent in both.isna().any(axis="columns").items() if absent]
    if lacking:
        raise InputError(
            f"{benchmark}: query {lacking[0]} has no value for {method} or {other}; "
            "evaluate both on the same queries"
        )
    return both[method].to_numpy(dtype=np.float64)
