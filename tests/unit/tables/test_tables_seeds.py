"""The table over seeds: means and deviations by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.tables.seeds import seeds_table

SEEDS = {"headrank": 0, "headrank-seed-1": 1, "headrank-seed-2": 2}
VALUES = {
    "headrank-untrained": (0.2, 0.4),
    "headrank": (0.5, 0.7),
    "headrank-seed-1": (0.4, 0.6),
    "headrank-seed-2": (0.6, 0.5),
}


def metrics(methods: dict[str, tuple[float, float]] = VALUES) -> pd.DataFrame:
    """Two benchmarks of two queries each, whose mean is the value."""
    rows = [
        (backbone, benchmark, method, qid, "nDCG@10", value + away)
        for backbone in ("small", "large")
        for method, values in methods.items()
        for benchmark, value in zip(("x", "y"), values, strict=True)
        for qid, away in (("q1", 0.1), ("q2", -0.1))
    ]
    return pd.DataFrame(rows, columns=["backbone", "benchmark", "method", "qid", "metric", "value"])


def test_means_and_deviations_by_hand() -> None:
    table = seeds_table(metrics(), seeds=SEEDS, backbones=["small"], averages={"only-x": ["x"]})
    rows = [dict(zip([c.key for c in table.columns], row, strict=True)) for row in table.rows]
    assert [row["panel"].value for row in rows] == ["all 2", "only-x"]
    whole = [0.6, 0.5, 0.55]
    assert [rows[0][f"seed_{seed}"].value for seed in SEEDS.values()] == pytest.approx(whole)
    assert rows[0]["untrained"].value == pytest.approx(0.3)
    assert rows[0]["mean"].value == pytest.approx(np.mean(whole))
    assert rows[0]["deviation"].value == pytest.approx(np.std(whole, ddof=1))
    assert rows[1]["mean"].value == pytest.approx(0.5)
    assert rows[1]["deviation"].value == pytest.approx(0.1)
    assert len(seeds_table(metrics(), seeds=SEEDS).groups) == 2


def test_a_missing_seed_is_refused() -> None:
    part = {name: values for name, values in VALUES.items() if name != "headrank-seed-2"}
    with pytest.raises(InputError, match="headrank-seed-2 of small is not evaluated on every benchmark"):
        seeds_table(metrics(part), seeds=SEEDS)
    with pytest.raises(InputError, match="two seeds or more"):
        seeds_table(metrics(), seeds={"headrank": 0})
    with pytest.raises(InputError):
        seeds_table(metrics(), seeds=SEEDS, averages={"a": ["z"]})
