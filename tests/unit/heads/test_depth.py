"""Head choice among the first layers only, and the curve of what it ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import lists_frame, made_up_features

from headrank.evaluation.significance import Resampling, bootstrap_interval
from headrank.heads.depth import depth_curve, depth_heads, depth_marks
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses
from headrank.settings import Settings


def test_heads_are_chosen_among_the_layers_kept():
    right, wrong = [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]
    almost = [2.0, 3.0, 1.0]
    # Layer 0 has no head worth choosing, layer 1 a middling one beside a wrong one, layer 2 the best.
    masses: Any = [[[wrong, wrong], [almost, wrong], [right, wrong]][i // 2][i % 2] for i in range(6)]
    features, lists = made_up_features([masses], 3, 2), lists_frame([[2, 1, 0]])
    settings = Settings.from_mapping({"selection": {"k": 1, "min_discrimination": 0.4}})
    chosen = depth_heads(features, lists, settings)
    assert {depth: heads.heads for depth, heads in chosen.items()} == {2: ((1, 0),), 3: ((2, 0),)}


SETTINGS = Resampling(n_resamples=100, seed=1)
DOCIDS = ["a", "b"]
# Four layers of one head: the first two put b first, the others a.
SHARES = np.array([[0.1, 0.9], [0.2, 0.8], [0.8, 0.2], [0.9, 0.1]])
QRELS = {"x": {"q1": {"a": 2}, "q2": {"a": 2}}, "y": {"q1": {"b": 1}}}


def stored(*qids: str) -> StoredMasses:
    queries = [(qid, DOCIDS, [0, 1], [False, False]) for qid in qids]
    return StoredMasses(queries, [SHARES] * len(qids), 4, 1, False)


def heads(*layers: int) -> HeadSet:
    return HeadSet("headrank", "tiny", 4, 1, tuple((layer, 0) for layer in layers), (1.0,) * len(layers))


def test_the_curve_has_each_benchmark_s_mean_of_each_depths_heads() -> None:
    chosen = {2: heads(1), 3: heads(2), 4: heads(2)}
    benchmarks = {"x": stored("q1", "q2"), "y": stored("q1")}
    curve = depth_curve(chosen.items(), benchmarks, QRELS, "m", "rr", SETTINGS)
    assert curve["share"].tolist() == [0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    assert curve["benchmark"].tolist() == ["x", "y"] * 3
    assert curve["value"].tolist() == [0.5, 1, 1, 0.5, 1, 0.5]
    low, high = bootstrap_interval([np.array([0.5, 0.5])], SETTINGS)
    assert curve.loc[0, ["backbone", "low", "high"]].tolist() == ["m", low, high]
    strict = depth_curve(chosen.items(), benchmarks, QRELS, "m", "rr(rel=2)", SETTINGS)
    assert strict["value"].tolist() == [0.5, 0, 1, 0, 1, 0]


def test_marks_stand_at_the_depth_of_the_chosen_heads() -> None:
    runs = {"x": {"q1": [("a", 1.0)], "q2": [("b", 2.0), ("a", 1.0)]}, "y": {"q1": [("b", 1.0)]}}
    marks = depth_marks(heads(0, 2), runs.items(), QRELS, "m", "rr").set_index("kind")
    assert marks["share"].tolist() == [0.75] * 3
    assert np.isnan(marks.loc["deepest", "value"])
    trained = marks.loc["trained"].set_index("benchmark")["value"]
    assert trained.to_dict() == {"x": pytest.approx(0.75), "y": 1}
