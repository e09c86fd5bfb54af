"""Costs of a study's methods: means over queries, against counts made up from the multiply-adds."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from headrank.cost.multiply_adds import Shape, full_operations, truncated_operations
from headrank.cost.per_method import COLUMNS, calls_per_query, cost_per_method, head_set_of

SHAPE = Shape(layers=3, hidden=8, intermediate=20, heads=4, kv_heads=2, head_dim=2)


def ranking(tokens: dict[str, int], documents: int = 4, rows: int = 5) -> pd.DataFrame:
    """A row per document; tokens: of each query's prompt."""
    parts = [(qid, count, rows) for qid, count in tokens.items() for _ in range(documents)]
    return pd.DataFrame(parts, columns=["qid", "tokens", "rows"])


RANKINGS = [
    (("m", "headrank"), ranking({"q1": 10, "q2": 30})),
    (("m", "headrank"), ranking({"q1": 20})),
    (("m", "reattn-core"), ranking({"q1": 40})),
    (("m", "icr"), ranking({"q1": 40})),
    (("m", "alone"), ranking({"q1": 40})),
    (("m", "rankgpt"), ranking({"q1": 999, "q2": 999})),
]
CALLS = pd.DataFrame({"qid": ["q1", "q1", "q2"], "prompt_tokens": [10, 20, 40], "new_tokens": [3, 0, 1]})
HEADS = {("m", "headrank"): (2, 3), ("m", "core"): (1, 2), ("other", "icr"): (1, 1)}


def costs() -> pd.DataFrame:
    found = cost_per_method(RANKINGS, [(("m", "rankgpt"), CALLS)], {"m": SHAPE}, HEADS, ["alone"])
    assert list(found.columns) == COLUMNS
    return found.set_index("method")


def test_every_method_is_measured_against_one_whole_pass_over_headranks_prompts() -> None:
    found, full = costs(), full_operations(SHAPE, 20)
    assert found.loc["headrank", ["layers_run", "layers_total", "heads"]].tolist() == [2, 3, 3]
    assert found.loc["headrank", "prompt_tokens"] == 20
    assert found.loc["headrank", "share"] == truncated_operations(SHAPE, 2, 20, 5, 3) / full
    # The re-weighted form reads CoRe's heads; without a head set all heads of all layers are read.
    assert found.loc["reattn-core", "share"] == truncated_operations(SHAPE, 1, 40, 5, 2) / full
    assert found.loc["icr", ["layers_run", "heads"]].tolist() == [3, 12]
    assert found.loc["icr", "share"] == truncated_operations(SHAPE, 3, 40, 5, 12) / full
    # Passages that do not see each other: four of them.
    assert found.loc["alone", "share"] == truncated_operations(SHAPE, 3, 40, 5, 12, 4) / full
    assert found.loc["alone", "share"] < found.loc["icr", "share"]
    assert (found["forward_passes"].drop("rankgpt") == 1).all()


def test_without_headrank_the_shortest_prompts_are_the_measure() -> None:
    rankings = [
        (("m", "icr"), ranking({"q1": 40})),
        (("m", "core"), ranking({"q1": 30})),
        (("other", "icr"), ranking({"q1": 10})),
        (("m", "rankgpt"), ranking({"q1": 20})),
    ]
    shapes = {"m": SHAPE, "other": SHAPE}
    found = cost_per_method(rankings, [(("m", "rankgpt"), CALLS)], shapes, {}).set_index(
        ["backbone", "method"]
    )
    full = full_operations(SHAPE, 30)
    assert found.loc[("m", "icr"), "share"] == truncated_operations(SHAPE, 3, 40, 5, 12) / full
    assert found.loc[("m", "rankgpt"), "share"] == pytest.approx(
        calls_per_query(CALLS, SHAPE)["operations"].mean() / full
    )
    # Of generative methods alone, theirs.
    (alone,) = cost_per_method(rankings[3:], [(("m", "rankgpt"), CALLS)], shapes, {})["share"]
    assert alone == found.loc[("m", "rankgpt"), "share"] * full / full_operations(SHAPE, 20)


def test_what_a_generative_method_asked_is_added_up_by_query() -> None:
    each = calls_per_query(CALLS, SHAPE)
    assert each["passes"].to_dict() == {"q1": 4, "q2": 1}
    assert each["prompt_tokens"].to_dict() == {"q1": 30, "q2": 40}
    # The last token that is written is never read, and of an answer without tokens there is none.
    assert each.loc["q1", "operations"] == full_operations(SHAPE, 12) + full_operations(SHAPE, 20)
    row = costs().loc["rankgpt"]
    assert row["forward_passes"] == 2.5
    assert row["new_tokens"] == 2
    assert row["layers_run"] == 3
    assert math.isnan(row["heads"])
    assert row["share"] == pytest.approx(each["operations"].mean() / full_operations(SHAPE, 20))


def test_equal_query_ids_of_two_benchmarks_are_two_queries() -> None:
    twice = [(("m", "rankgpt"), CALLS), (("m", "rankgpt"), CALLS)]
    found = cost_per_method(RANKINGS, twice, {"m": SHAPE}, HEADS).set_index("method")
    assert found.loc["rankgpt", "forward_passes"] == 2.5


@pytest.mark.parametrize(
    ("method", "plain"),
    [
        *(("core", "core"), ("reattn-qrhead", "qrhead"), ("headrank-untrained", "headrank")),
        *(("core-faithful", "core"), ("qrhead-ndcg-ratio", "qrhead-ndcg"), ("core-own", "core-own")),
    ],
)
def test_whose_heads_a_method_reads(method: str, plain: str) -> None:
    assert head_set_of(method) == plain
