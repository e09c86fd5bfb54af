"""Homogenisation over several benchmarks: whose query ids may be equal, and whose scores may be logarithms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headrank.evaluation.homogenisation import homogenisation, profile
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.pooled_scores import pooled_homogenisation

SCORES = {"x": [8.0, 5.0, 6.0, 3.0, 4.0, 2.0, 1.0, 0.5], "y": [1.0, 2.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.2]}
QRELS = {"x": {"q": {"d3": 1, "d4": 0, "d5": 0}}, "y": {"q": {"d3": 0, "d4": 1, "d6": 2}}}
ZONE = ZoneSettings(zone="untrained")
BY_POSITION = ZoneSettings(zone="position")


def ranking(scores: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"qid": "q", "docid": [f"d{i}" for i in range(1, 9)], "score": scores})
    frame["position"] = range(8)
    frame["rank"] = frame["score"].rank(ascending=False, method="first").astype(int) - 1
    return frame.sort_values("rank", ignore_index=True)


RANKINGS = {("m", name, "headrank"): ranking(scores) for name, scores in SCORES.items()}


def test_measures_are_means_over_the_queries_of_each_average() -> None:
    _, measures = pooled_homogenisation(RANKINGS, QRELS, ZONE, {"second": ["y"]})
    # What each benchmark says alone, by position whatever the settings ask for.
    alone = {
        name: homogenisation(RANKINGS["m", name, "headrank"], QRELS[name], BY_POSITION).set_index("metric")["value"]
        for name in SCORES
    }  # fmt: skip
    found = measures.set_index("over")
    assert found["queries"].to_dict() == {"": 2, "second": 1}
    for metric in ("zone_cv", "adjacent_ratio", "zone_tau"):
        both = (alone["x"][metric] + alone["y"][metric]) / 2
        assert found.loc["", metric] == pytest.approx(both)
        assert found.loc["second", metric] == pytest.approx(alone["y"][metric])


def test_an_average_is_not_measured_where_one_of_its_benchmarks_was_not_ranked() -> None:
    rankings = {cell: frame for cell, frame in RANKINGS.items() if cell[1] == "x"}
    _, measures = pooled_homogenisation(rankings, QRELS, ZONE, {"first": ["x"], "both": ["x", "y"]})
    assert measures["over"].tolist() == ["", "first"]


def test_the_profile_runs_over_all_documents_of_all_benchmarks() -> None:
    shares, _ = pooled_homogenisation(RANKINGS, QRELS, ZONE, {})
    parts = [
        profile(RANKINGS["m", name, "headrank"], QRELS[name], BY_POSITION, "share").set_index(["group", "position"])
        for name in SCORES
    ]  # fmt: skip
    found = shares.set_index(["group", "position"])
    assert found["n"].sum() == 6
    assert found.loc[("relevant", 2), "mean"] == parts[0].loc[("relevant", 2), "mean"]
    assert found.loc[("irrelevant", 2), "mean"] == parts[1].loc[("irrelevant", 2), "mean"]
    assert set(shares["backbone"]) == {"m"}


def test_logarithms_are_taken_back_before_anything_is_measured() -> None:
    logarithms = {cell: frame.assign(score=np.log(frame["score"])) for cell, frame in RANKINGS.items()}
    plain = pooled_homogenisation(RANKINGS, QRELS, ZONE, {})
    for mine, theirs in zip(plain, pooled_homogenisation(logarithms, QRELS, ZONE, {}, ["m"]), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    # The frames that were given stay as they were.
    assert (logarithms["m", "x", "headrank"]["score"] < 2.1).all()
