"""The curve over training queries: means of benchmarks' means, however many queries each has."""

from __future__ import annotations

import pandas as pd
import pytest

from headrank.evaluation.query_curve import query_curve
from headrank.evaluation.significance import Resampling, bootstrap_interval

SETTINGS = Resampling(n_resamples=200, seed=4)
BY_METHOD = {
    "bm25": {"x": [0.1, 0.3], "y": [0.4]},
    "headrank-untrained": {"x": [0.2, 0.4], "y": [0.5]},
    "few": {"x": [0.3, 0.4], "y": [0.6]},
    "headrank": {"x": [0.9, 0.7], "y": [0.8]},
}
VALUES = pd.DataFrame(
    [
        (benchmark, method, f"q{i}", value)
        for method, benchmarks in BY_METHOD.items()
        for benchmark, values in benchmarks.items()
        for i, value in enumerate(values)
    ],
    columns=["benchmark", "method", "qid", "value"],
)


def test_curve_and_levels_by_hand() -> None:
    curve, levels = query_curve(
        VALUES, {"few": 10, "headrank": 40}, {"bm25": "", "headrank-untrained": "m"}, "m", SETTINGS
    )
    assert curve["queries"].tolist() == [10, 40]
    assert curve["value"].tolist() == pytest.approx([(0.35 + 0.6) / 2, (0.8 + 0.8) / 2])
    intervals = [bootstrap_interval(list(BY_METHOD[m].values()), SETTINGS) for m in ("few", "headrank")]
    assert list(zip(curve["low"], curve["high"], strict=True)) == intervals
    assert intervals[0][0] < curve["value"].iloc[0] < intervals[0][1]
    assert levels.to_dict("list") == {
        "backbone": ["", "m"],
        "method": ["bm25", "headrank-untrained"],
        "value": pytest.approx([0.3, 0.4]),
    }


def test_levels_are_over_the_benchmarks_that_the_backbone_ranks() -> None:
    values = VALUES[(VALUES["benchmark"] == "x") | (VALUES["method"] == "bm25")]
    curve, levels = query_curve(
        values, {"headrank": 40}, {"bm25": "", "headrank-untrained": "m"}, "m", SETTINGS
    )
    assert curve["value"].tolist() == pytest.approx([0.8])
    assert levels["value"].tolist() == pytest.approx([0.2, 0.3])
