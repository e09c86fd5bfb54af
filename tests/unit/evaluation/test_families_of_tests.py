"""Tests on each backbone: with the first stage among them, and without pairs that a backbone lacks."""

from __future__ import annotations

import pandas as pd

from headrank.evaluation.families import compare_on_each_backbone
from headrank.evaluation.significance import Resampling, compare

SETTINGS = Resampling(n_resamples=200, seed=1)
COLUMNS = ["backbone", "benchmark", "method", "qid", "value"]


def rows(backbone: str, method: str, *values: float) -> list[tuple[str, str, str, str, float]]:
    return [(backbone, "x", method, f"q{i}", value) for i, value in enumerate(values)]


VALUES = pd.DataFrame(
    [
        *rows("", "bm25", 0.1, 0.2, 0.3, 0.2),
        *rows("large", "core", 0.9, 0.8, 0.7, 0.9),
        *rows("large", "icr", 0.4, 0.1, 0.5, 0.3),
        *rows("small", "core", 0.2, 0.1, 0.4, 0.1),
    ],
    columns=COLUMNS,
)
PAIRS = [("core", "bm25"), ("icr", "core")]


def test_each_backbone_is_compared_as_if_it_were_alone_with_the_first_stage() -> None:
    found = compare_on_each_backbone(VALUES, PAIRS, SETTINGS, averages={"all": ["x"]})
    assert list(found["backbone"].unique()) == ["large", "small"]
    large = VALUES[VALUES["backbone"].isin(["", "large"])]
    alone = compare(large, PAIRS, SETTINGS, averages={"all": ["x"]}).rename(columns={"p": "p_value"})
    mine = found[found["backbone"] == "large"].drop(columns="backbone")
    pd.testing.assert_frame_equal(mine, alone)


def test_a_pair_is_left_out_where_one_of_the_two_is_not_there() -> None:
    found = compare_on_each_backbone(VALUES, PAIRS, SETTINGS)
    pairs = found.groupby("backbone")[["method", "baseline"]].apply(lambda part: part.to_numpy().tolist())
    assert pairs["large"] == [["core", "bm25"], ["icr", "core"]]
    assert pairs["small"] == [["core", "bm25"]]


def test_the_family_decides_how_far_the_correction_reaches() -> None:
    two = pd.concat([VALUES, VALUES.assign(benchmark="y")])
    narrow, wide = (
        compare_on_each_backbone(two, PAIRS, SETTINGS, family=family) for family in ("benchmark", "table")
    )
    assert (wide["p_holm"] >= narrow["p_holm"]).all()
    assert (wide["p_holm"] > narrow["p_holm"]).any()
