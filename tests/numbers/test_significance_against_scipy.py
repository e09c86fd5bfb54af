"""Significance against scipy, statsmodels and definitions written out, on random differences between two methods.

Exact where all signs are enumerated; within what resampling allows where they are drawn; and close to the paired t-test
where there are many queries, since the randomisation test and the t-test then ask the same of the same data.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from headrank.evaluation.significance import Resampling, bootstrap_interval, holm, randomisation_test

pytestmark = pytest.mark.slow

SIDES = ("two-sided", "greater", "less")


def drawn(seed: int, count: int) -> np.ndarray:
    """Differences as metrics give them: many exact zeros, and a shift."""
    rng = np.random.default_rng([19, seed])
    values = rng.normal(rng.uniform(-0.15, 0.15), rng.uniform(0.1, 0.4), count)
    return np.where(rng.random(count) < 0.2, 0.0, values)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(20))
def test_all_signs_are_those_of_scipy_s_test_of_two_samples(seed: int, side: str) -> None:
    rng = np.random.default_rng([20, seed])
    count = int(rng.integers(3, 11))
    ours = rng.uniform(0, 1, count)
    theirs = ours - drawn(seed, count)
    expected = stats.permutation_test(
        (ours, theirs),
        lambda a, b, axis: np.mean(a, axis=axis) - np.mean(b, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        alternative=side,
        vectorized=True,
    ).pvalue
    found = randomisation_test([ours - theirs], Resampling(n_resamples=2**count, alternative=side))
    assert found == pytest.approx(expected, abs=1e-12)


def test_on_many_queries_it_is_the_paired_t_test() -> None:
    """Both tests estimate one probability; 10,000 resamples add a standard error of at most .005."""
    gaps = []
    for seed in range(30):
        count = int(np.random.default_rng([21, seed]).integers(40, 150))
        differences = drawn(seed, count)
        for side in SIDES:
            found = randomisation_test([differences], Resampling(alternative=side))
            expected = stats.ttest_rel(differences, np.zeros(count), alternative=side).pvalue
            gaps.append(abs(found - expected))
    print(f"randomisation and t-test: largest gap {max(gaps):.4f}, mean {np.mean(gaps):.4f} of {len(gaps)}")
    assert max(gaps) < 0.03
    assert np.mean(gaps) < 0.006


def test_the_interval_is_scipy_s_percentile_bootstrap() -> None:
    """The ends are quantiles of 10,000 resamples: they differ by a few hundredths of the interval's width at most."""
    gaps = []
    for seed in range(20):
        differences = drawn(seed, int(np.random.default_rng([22, seed]).integers(15, 120)))
        low, high = bootstrap_interval([differences], Resampling(seed=seed))
        given = stats.bootstrap(
            (differences,),
            np.mean,
            n_resamples=10_000,
            method="percentile",
            rng=np.random.default_rng(seed + 1),
        ).confidence_interval
        width = given.high - given.low
        gaps += [abs(low - given.low) / width, abs(high - given.high) / width]
        # And, of a mean of many, nearly the interval of its standard error.
        margin = 1.96 * differences.std() / math.sqrt(len(differences))
        assert (high - low) / (2 * margin) == pytest.approx(1, abs=0.1)
    print(f"ends of intervals: largest gap {max(gaps):.4f} of the width, of {len(gaps)}")
    assert max(gaps) < 0.05


def test_an_interval_over_benchmarks_is_that_of_the_mean_of_independent_means() -> None:
    parts = [drawn(seed, count) for seed, count in ((1, 40), (2, 90), (3, 25))]
    low, high = bootstrap_interval(parts)
    error = math.sqrt(sum(part.var() / len(part) for part in parts)) / len(parts)
    middle = np.mean([part.mean() for part in parts])
    assert [low, high] == pytest.approx([middle - 1.96 * error, middle + 1.96 * error], abs=0.15 * error)


def by_definition(p_values: list[float]) -> list[float]:
    """Holm: the i-th smallest times the number of those that are not smaller, never below an earlier one."""
    count, adjusted, largest = len(p_values), [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(count), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (count - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def test_holm_is_its_definition_and_statsmodels() -> None:
    rng = np.random.default_rng(23)
    # statsmodels collects garbage at each call.
    for _ in range(40):
        count = int(rng.integers(1, 15))
        p_values = (rng.random(count) ** 3).tolist()
        if rng.random() < 0.5:
            p_values = [round(p, 1) for p in p_values]
        found = holm(p_values)
        assert found == pytest.approx(by_definition(p_values), abs=1e-12)
        assert found == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), abs=1e-12)
    # Bonferroni's, which Holm never exceeds.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
