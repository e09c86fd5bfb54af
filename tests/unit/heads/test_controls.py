"""Controls: every layer alone and random heads, as means of any metric, with the same heads on every benchmark."""

from __future__ import annotations

import numpy as np
import pytest

from headrank.heads.controls import Benchmark, Controls, head_controls
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses, random_heads

DOCIDS = ["a", "b"]
# Two layers of two heads: layer 0 puts a first, layer 1 puts b first.
SHARES = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6]])
HEADS = HeadSet("headrank", "tiny", 2, 2, ((0, 0), (1, 1)), (1.0, 1.0))


def benchmark(name: str, relevant: str) -> Benchmark:
    stored = StoredMasses([("q", DOCIDS, [0, 1], [False, False])], [SHARES], 2, 2, False)
    run = {"q": [(relevant, 1.0)]}
    return Benchmark(name, stored, {"q": {relevant: 2}, "absent": {"z": 1}}, {"core": run})


def controls(metric: object = "rr") -> Controls:
    return head_controls((benchmark("x", "a"), benchmark("y", "b")), HEADS, "m", metric, 6, 5)  # type: ignore[arg-type]


def test_layers_and_references_by_hand() -> None:
    found = controls()
    layers = found.layers.set_index(["benchmark", "layer"])["value"]
    # A judged query that is not ranked counts 0.
    assert layers.to_dict() == {("x", 0): 0.5, ("x", 1): 0.25, ("y", 0): 0.25, ("y", 1): 0.5}
    assert found.references.to_dict("list") == {
        **{"backbone": ["m", "m"], "benchmark": ["x", "y"], "method": ["core", "core"], "value": [0.5, 0.5]}
    }
    assert set(found.layers["backbone"]) == {"m"}


def test_a_draw_takes_the_same_heads_everywhere() -> None:
    draws = controls().draws.pivot(index="draw", columns="benchmark", values="value")
    for draw, chosen in enumerate(random_heads(HEADS, 6, 5)):
        score = sum(SHARES[layer * 2 + head] for layer, head in chosen)
        first = 0.5 if score[0] >= score[1] else 0.25
        assert draws.loc[draw].tolist() == pytest.approx([first, 0.75 - first])
    assert len(draws) == 6


def test_the_metric_decides() -> None:
    strict = controls({"name": "rr", "relevance_level": 3})
    assert (strict.layers["value"] == 0).all()
    graded = controls("ndcg@10").layers.set_index(["benchmark", "layer"])["value"]
    assert graded["x", 1] == pytest.approx(0.5 / np.log2(3))
