"""Promoted shares of a study: pooled over benchmarks, with Wilson's interval, and tested against untrained heads."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy.stats import norm

from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.promoted import promoted_shares, wilson
from headrank.evaluation.selectivity import gap_test, zone_documents
from headrank.evaluation.significance import Resampling

# Eight documents: the zone is d3 to d6, the top quartile the first two of the ranking.
AFTER, BEFORE = [3, 4, 1, 2, 5, 6, 7, 8], [1, 5, 3, 2, 4, 6, 7, 8]
QRELS = {"x": {"q": {"d3": 1, "d4": 2, "d5": 0, "d6": 0}}, "y": {"q": {"d3": 0, "d4": 1, "d5": 0}}}
SETTINGS = Resampling(n_resamples=100, alpha=0.1, seed=2)


def ranking(order: list[int]) -> pd.DataFrame:
    rows = [("q", f"d{d}", d - 1, float(-rank), rank) for rank, d in enumerate(order)]
    return pd.DataFrame(rows, columns=["qid", "docid", "position", "score", "rank"])


RANKINGS = {
    **{("m", name, "headrank-untrained"): ranking(BEFORE) for name in QRELS},
    ("m", "x", "headrank"): ranking(AFTER),
    ("m", "y", "headrank"): ranking([4, *[d for d in AFTER if d != 4]]),
}


def shares() -> pd.DataFrame:
    averages = {"first": ["x"], "both": ["x", "y"]}
    found = promoted_shares(RANKINGS, QRELS, ZoneSettings(), SETTINGS, averages)
    return found.set_index(["method", "group"])


def test_shares_by_hand() -> None:
    found = shares()
    # Relevant: d3 and d4 of x, d4 of y. Irrelevant: d5 and d6 of x, d3 and d5 of y.
    assert found["n"].to_dict() == {
        **{("headrank-untrained", "relevant"): 3, ("headrank-untrained", "irrelevant"): 4},
        **{("headrank", "relevant"): 3, ("headrank", "irrelevant"): 4},
    }
    after = found.loc["headrank"]
    assert after.loc["relevant", "promoted"] == 1
    assert after.loc["irrelevant", "promoted"] == pytest.approx(1 / 4)
    assert after.loc["irrelevant", "macro"] == pytest.approx((0 + 1 / 2) / 2)
    assert after["gap_first"].tolist() == [1, 1]
    assert after["gap_both"].tolist() == pytest.approx([3 / 4] * 2)
    before = found.loc["headrank-untrained"]
    assert before.loc["relevant", "promoted"] == 0
    assert before.loc["irrelevant", "promoted"] == pytest.approx(2 / 4)


def test_an_average_has_no_gap_where_one_of_its_benchmarks_was_not_ranked() -> None:
    narrow = {("n", *cell[1:]): frame for cell, frame in RANKINGS.items() if cell[1] == "x"}
    averages = {"first": ["x"], "both": ["x", "y"]}
    found = promoted_shares({**RANKINGS, **narrow}, QRELS, ZoneSettings(), SETTINGS, averages)
    found = found.set_index(["backbone", "method", "group"]).sort_index()
    assert found.loc[("n", "headrank", "relevant"), "gap_first"] == 1
    assert found.loc["n", "gap_both"].isna().all()
    assert found.loc["m", "gap_both"].notna().all()


def test_only_headrank_is_tested_and_against_its_heads_untrained() -> None:
    found = shares()
    zones = {}
    for method in ("headrank-untrained", "headrank"):
        parts = [
            zone_documents(RANKINGS["m", name, method], QRELS[name]).assign(benchmark=name) for name in QRELS
        ]
        zones[method] = pd.concat(parts, ignore_index=True)
    greater = Resampling(n_resamples=100, alpha=0.1, alternative="greater", seed=2)
    p = gap_test(zones["headrank-untrained"], zones["headrank"], settings=greater).p
    assert found.loc["headrank", "p"].tolist() == [p, p]
    assert 0 < p < 1
    assert found.loc["headrank-untrained", "p"].isna().all()


def test_the_interval_is_wilsons() -> None:
    z, n, share = norm.ppf(0.95), 40, 0.25
    centre = (share + z * z / 2 / n) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / 4 / n / n) / (1 + z * z / n)
    assert wilson(share, n, 0.1) == pytest.approx((centre - reach, centre + reach))
    assert wilson(0.0, 0, 0.1) == (0.0, 0.0)
    assert shares().loc[("headrank", "irrelevant"), ["low", "high"]].tolist() == list(wilson(0.25, 4, 0.1))
