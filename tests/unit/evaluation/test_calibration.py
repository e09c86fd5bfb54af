"""Whether probabilities mean what they say: by hand, against definitions, and on outcomes drawn by them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.evaluation.calibration import auc, expected_error, judge_calibration, log_loss, reliability
from headrank.evaluation.significance import Resampling


def test_the_bins_and_the_error_are_those_worked_out_by_hand() -> None:
    probability = [0.05, 0.15, 0.15, 0.95, 1.0]
    relevant = [0, 1, 0, 1, 1]
    bins = reliability(probability, relevant)
    assert bins["low"].tolist() == [0.0, 0.1, 0.9]
    assert bins["high"].tolist() == [0.1, 0.2, 1.0]
    assert bins["passages"].tolist() == [1, 2, 2]
    assert bins["probability"].tolist() == pytest.approx([0.05, 0.15, 0.975])
    assert bins["relevant"].tolist() == [0, 0.5, 1]
    # 1/5 of 0.05, 2/5 of 0.35, 2/5 of 0.025.
    assert expected_error(probability, relevant) == pytest.approx(0.01 + 0.14 + 0.01)
    assert log_loss([0.5, 0.25], [1, 0]) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert log_loss([0.0], [1]) == pytest.approx(-np.log(1e-6))


def test_the_area_counts_pairs_and_half_of_ties() -> None:
    rng = np.random.default_rng(3)
    p, y = rng.integers(0, 5, 60) / 5, rng.integers(0, 2, 60)
    pairs = [np.sign(a - b) for a in p[y == 1] for b in p[y == 0]]
    assert auc(p, y) == pytest.approx((np.mean(pairs) + 1) / 2)
    assert np.isnan(auc([0.2, 0.4], [1, 1]))


def drawn(queries: int, each: int, seed: int, push: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = rng.random(queries * each)
    relevant = rng.random(len(p)) < p
    qid = np.repeat([f"q{i}" for i in range(queries)], each)
    return pd.DataFrame({"qid": qid, "probability": (p + push).clip(0, 1), "relevant": relevant})


def test_exact_probabilities_are_off_by_chance_alone_and_others_by_more() -> None:
    settings = Resampling(n_resamples=500)
    exact = judge_calibration(drawn(40, 20, 1), settings=settings)
    assert (exact.queries, exact.passages) == (40, 800)
    assert exact.error == pytest.approx(exact.by_chance, rel=0.5)
    pushed = judge_calibration(drawn(40, 20, 1, push=0.2), settings=settings)
    # Clipping at 1 takes a part of the push away.
    assert 0.15 < pushed.low < pushed.error < pushed.high < 0.25
    assert pushed.error > 3 * pushed.by_chance
    assert exact.log_loss < exact.base_log_loss
    assert exact.brier == pytest.approx(1 / 6, abs=0.02)


def test_the_interval_is_over_queries_not_passages() -> None:
    rng = np.random.default_rng(0)
    # All passages of a query are alike: each query is one observation.
    rows = [(f"q{i}", 0.5, bool(y)) for i, y in enumerate(rng.integers(0, 2, 30)) for _ in range(50)]
    alike = pd.DataFrame(rows, columns=["qid", "probability", "relevant"])
    mixed = alike.assign(relevant=np.tile([True, False], 750))
    wide, narrow = judge_calibration(alike), judge_calibration(mixed)
    assert wide.high - wide.low > 0.05
    assert narrow.high == narrow.error == 0


@pytest.mark.parametrize("bad", [[1.2], [-0.1], [float("nan")]])
def test_what_is_no_probability_is_refused(bad: list[float]) -> None:
    with pytest.raises(InputError, match=r"not within 0\.\.1"):
        expected_error(bad, [1])
    with pytest.raises(InputError, match="no judged passage"):
        reliability([], [])
