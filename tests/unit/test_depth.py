"""Rankings and head choice at a depth, from stored masses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import builder, lists_frame, made_up_features, passages, tiny_backbone

from headrank.collections import Document
from headrank.depth import depth_heads, rank_from_masses
from headrank.heads import HeadSet
from headrank.rerankers import headrank
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.frozen import rerank_frozen
from headrank.rerankers.together import COLUMNS
from headrank.settings import Settings


@pytest.mark.parametrize("order", ["best-first", "best-last"])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_stored_masses_rank_as_a_forward_pass_does(order: str, alpha: float):
    settings = Settings.from_mapping({"candidates": {"order": order}, "mass": {"length_alpha": alpha}})
    heads = [
        HeadSet("headrank", "tiny", 4, 4, chosen, (1.0,) * len(chosen))
        for chosen in [((3, 1),), ((0, 2), (1, 1), (2, 3))]
    ]
    documents = [*passages(6), Document("none", "", ""), Document("nothing", "", " ")]
    candidates = [Candidates(f"q{i}", f"red {i}", tuple(documents[i:] + documents[:i])) for i in range(3)]
    methods = [headrank(h, settings, name=str(i)) for i, h in enumerate(heads)]
    frames, masses = rerank_frozen(tiny_backbone("qwen3"), builder(), methods, candidates, settings)
    # Any ranking of the pass will do to start from: the other head set's.
    for mine, other in [(0, 1), (1, 0)]:
        found = rank_from_masses(masses, frames[str(other)], heads[mine], settings)
        expected = frames[str(mine)]
        assert found.columns.tolist() == COLUMNS
        columns = ["qid", "docid", "position", "rank", "empty"]
        pd.testing.assert_frame_equal(found[columns], expected[columns])
        np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-4)


def test_ties_are_broken_as_in_the_forward_pass():
    masses = made_up_features(np.ones((1, 1, 4)), 1, 1)
    rows = [("0", d, p + 1, 0.0, p + 1, False, 9, 1) for p, d in enumerate("abcd")]
    ranking = pd.DataFrame(rows, columns=COLUMNS)
    heads = HeadSet("headrank", "made-up", 1, 1, ((0, 0),), (1.0,))
    for order, expected in [("best-first", "abcd"), ("best-last", "dcba")]:
        settings = Settings.from_mapping({"candidates": {"order": order}})
        assert rank_from_masses(masses, ranking, heads, settings)["docid"].tolist() == list(expected)


def test_heads_are_chosen_among_the_layers_kept():
    right, wrong = [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]
    almost = [2.0, 3.0, 1.0]
    # Layer 0 has no head worth choosing, layer 1 a middling one beside a wrong one, layer 2 the best.
    masses: Any = [[[wrong, wrong], [almost, wrong], [right, wrong]][i // 2][i % 2] for i in range(6)]
    features, lists = made_up_features([masses], 3, 2), lists_frame([[2, 1, 0]])
    settings = Settings.from_mapping({"selection": {"k": 1, "min_discrimination": 0.4}})
    chosen = depth_heads(features, lists, settings)
    assert {depth: heads.heads for depth, heads in chosen.items()} == {2: ((1, 0),), 3: ((2, 0),)}
