"""Significance: exact by enumeration on few queries, honest on noise, the same for the same seed."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.evaluation.significance import (
    MEAN,
    Resampling,
    bootstrap_interval,
    compare,
    holm,
    randomisation_test,
    sign_flip_test,
)

pytestmark = pytest.mark.slow


def enumerated(strata: list[list[float]], alternative: str) -> float:
    """All sign patterns of all queries, spelt out."""
    flat = [(b, d) for b, values in enumerate(strata) for d in values]

    def statistic(signs: tuple[int, ...]) -> float:
        sums = [0.0] * len(strata)
        for sign, (b, d) in zip(signs, flat, strict=True):
            sums[b] += sign * d
        return sum(s / len(values) for s, values in zip(sums, strata, strict=True)) / len(strata)

    observed = statistic((1,) * len(flat))
    outcomes = [statistic(signs) for signs in itertools.product((1, -1), repeat=len(flat))]
    greater = sum(o >= observed - 1e-12 for o in outcomes) / len(outcomes)
    less = sum(o <= observed + 1e-12 for o in outcomes) / len(outcomes)
    return {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}[alternative]


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(
    "strata",
    [
        [[0.3, 0.1, -0.05, 0.2, 0.4]],
        [[0.3, 0.1, -0.05], [0.02, 0.5, 0.1, -0.3, 0.25]],
        [[0.3, 0.0, 0.0, -0.1], [0.1, 0.1]],
        [[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]],
        [[0.2]],
        [[-0.2, 0.0]],
    ],
)
def test_few_queries_are_enumerated(strata, alternative):
    found = randomisation_test(strata, Resampling(alternative=alternative))
    assert found == pytest.approx(enumerated(strata, alternative))


def test_six_equal_signs_have_two_patterns_in_sixty_four():
    assert randomisation_test([[0.1] * 6]) == 2 / 64
    assert randomisation_test([[0.1] * 6], Resampling(alternative="greater")) == 1 / 64


def test_no_difference_is_no_evidence():
    assert randomisation_test([[0.0] * 20]) == 1.0
    assert randomisation_test([[0.0], [0.0, 0.0]], Resampling(alternative="greater")) == 1.0


def test_sampling_agrees_with_enumeration():
    rng = np.random.default_rng(8)
    differences = [rng.normal(0.1, 0.3, 6).tolist(), rng.normal(0.1, 0.3, 8).tolist()]
    exact = randomisation_test(differences, Resampling(n_resamples=2**14))
    sampled = randomisation_test(differences, Resampling(n_resamples=2**14 - 1))
    assert exact != sampled
    assert sampled == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 2**14))


def test_the_smallest_sampled_p_is_not_zero():
    assert randomisation_test([[1.0] * 100], Resampling(n_resamples=999, alternative="greater")) == 1 / 1000


def test_false_alarms_come_at_the_level():
    """On noise p < .05 in about 5 % of 400 trials: within four standard errors (0.0109)."""
    rng = np.random.default_rng(11)
    trials = [[rng.normal(0, 1, 30), rng.normal(0, 5, 12)] for _ in range(400)]
    settings = Resampling(n_resamples=499)
    share = np.mean([randomisation_test(trial, settings) <= 0.05 for trial in trials])
    assert share == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 400))


def test_every_benchmark_counts_the_same():
    """A hundred queries slightly worse, ten clearly better: the pooled mean falls, the macro mean rises."""
    rng = np.random.default_rng(2)
    large, small = rng.normal(-0.05, 0.02, 100), rng.normal(0.3, 0.02, 10)
    assert np.concatenate([large, small]).mean() < 0
    assert randomisation_test([large, small], Resampling(alternative="greater")) < 0.01
    assert randomisation_test([np.concatenate([large, small])], Resampling(alternative="greater")) > 0.5


def test_same_seed_same_numbers():
    rng = np.random.default_rng(4)
    values = [rng.normal(0.02, 0.3, 60)]
    assert randomisation_test(values) == randomisation_test(values)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) != bootstrap_interval(values, Resampling(seed=1))


def test_the_interval_is_the_normal_one_on_many_queries():
    rng = np.random.default_rng(6)
    strata = [rng.normal(0.1, 0.5, 400), rng.normal(0.2, 1.0, 900)]
    centre = np.mean([s.mean() for s in strata])
    error = np.sqrt(sum(s.var() / len(s) for s in strata)) / 2
    low, high = bootstrap_interval(strata)
    assert (low, high) == pytest.approx((centre - 1.96 * error, centre + 1.96 * error), abs=0.05 * error * 2)
    narrow = bootstrap_interval(strata, Resampling(alpha=0.5))
    assert low < narrow[0] < centre < narrow[1] < high
    assert bootstrap_interval([[0.25] * 5]) == (0.25, 0.25)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.8, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("differences", [[], [[]], [[0.1], []], [[0.1, float("nan")]], [0.1, 0.2]])
def test_bad_differences(differences):
    for function in (randomisation_test, bootstrap_interval):
        with pytest.raises(InputError, match="differences"):
            function(differences)


def test_sign_flip_takes_any_contributions():
    assert sign_flip_test([0.5, -0.25], Resampling(alternative="greater")) == 2 / 4


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for benchmark, queries in (("one", 40), ("two", 12)):
        for q in range(queries):
            base = rng.uniform(0, 0.5)
            for method, gain in (("bm25", 0.0), ("core", 0.01), ("headrank", 0.3), ("worse", -0.3)):
                rows.append((benchmark, method, f"q{q}", base + gain + rng.normal(0, 0.05)))
    return pd.DataFrame(rows, columns=["benchmark", "method", "qid", "value"])


PAIRS = [("headrank", "bm25"), ("headrank", "core"), ("core", "bm25"), ("worse", "bm25")]


def test_a_family_of_comparisons():
    values = table()
    frame = compare(values, PAIRS)
    assert list(frame["benchmark"].unique()) == ["one", "two", MEAN]
    assert len(frame) == 12
    means = values.groupby(["benchmark", "method"])["value"].mean()
    row = frame.set_index(["benchmark", "method", "baseline"]).loc[MEAN, "headrank", "core"]
    assert row["n_queries"] == 52
    assert row["value"] == pytest.approx((means["one", "headrank"] + means["two", "headrank"]) / 2)
    assert row["difference"] == pytest.approx(row["value"] - row["baseline_value"])
    assert row["low"] < row["difference"] < row["high"]
    for _, family in frame.groupby("benchmark"):
        assert family["p_holm"].tolist() == pytest.approx(holm(family["p"].tolist()))
    whole = compare(values, PAIRS, family="table")
    assert whole["p_holm"].tolist() == pytest.approx(holm(frame["p"].tolist()))
    pd.testing.assert_frame_equal(
        frame, compare(values.sample(frac=1, random_state=3).sort_values("benchmark"), PAIRS)
    )


def test_further_means_are_tested_too_and_belong_to_the_family():
    values = table()
    frame = compare(values, PAIRS, family="table", averages={"second": ["two"], "both": ["one", "two"]})
    assert list(frame["benchmark"].unique()) == ["one", "two", MEAN, "second", "both"]
    by = frame.set_index(["benchmark", "method", "baseline"])
    for name, same in (("second", "two"), ("both", MEAN)):
        assert by.loc[(name, "core", "bm25"), "p"] == by.loc[(same, "core", "bm25"), "p"]
    assert frame["p_holm"].tolist() == pytest.approx(holm(frame["p"].tolist()))


def test_a_method_that_was_not_run_on_a_benchmark_is_tested_on_the_others():
    values = table()
    part = values[~((values["benchmark"] == "two") & (values["method"] == "worse"))]
    frame = compare(part, PAIRS, averages={"first": ["one"]})
    tested = frame[frame["method"] == "worse"]["benchmark"].tolist()
    assert tested == ["one", "first"]
    assert len(frame) == 4 * 4 - 2
    # One query less is another matter.
    gone = (values["benchmark"] == "two") & (values["method"] == "worse") & (values["qid"] == "q0")
    with pytest.raises(InputError, match="two: query q0 has no value for worse or bm25"):
        compare(values[~gone], PAIRS)
    apart = values[(values["benchmark"] == "one") == (values["method"] == "worse")]
    with pytest.raises(InputError, match="pairs: no two of the methods"):
        compare(apart, [("worse", "bm25")])


def test_one_benchmark_has_no_mean():
    values = table()
    frame = compare(values[values["benchmark"] == "two"], PAIRS)
    assert set(frame["benchmark"]) == {"two"}


def test_bad_tables():
    values = table()
    with pytest.raises(InputError, match="method 'icr' was not evaluated; known: bm25, core"):
        compare(values, [("headrank", "icr")])
    with pytest.raises(InputError, match="one: query q0 has no value for core or bm25"):
        compare(values.drop(index=1), [("core", "bm25")])
    with pytest.raises(InputError, match="two values for bm25"):
        compare(pd.concat([values, values]), PAIRS)
    with pytest.raises(InputError, match="column 'qid' is missing"):
        compare(values.drop(columns="qid"), PAIRS)
    with pytest.raises(InputError, match="pairs"):
        compare(values, [])
    with pytest.raises(InputError, match="reserved for the mean"):
        compare(values[values["benchmark"] == "one"].assign(benchmark="mean"), PAIRS)
    with pytest.raises(InputError, match="core is compared with itself"):
        compare(values, [("core", "core")])
