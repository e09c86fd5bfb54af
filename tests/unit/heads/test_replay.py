"""Rankings from stored masses equal those of a forward pass; random heads and layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import builder, made_up_features, passages, tiny_backbone

from headrank.data.collections import Document
from headrank.data.rankings import COLUMNS
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses, layer_heads, random_heads
from headrank.prompts.candidate_order import prompt_order
from headrank.rerankers import headrank
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.frozen import rerank_frozen
from headrank.settings import Settings

RATIO = {"mass": {"calibration": "ratio", "length_alpha": 0.5}, "loss": {"score": "mean-log"}}


@pytest.mark.parametrize("order", ["best-first", "best-last"])
@pytest.mark.parametrize(
    "changes", [{}, {"mass": {"length_alpha": 1.0}}, {"loss": {"score": "mean-log"}}, RATIO]
)
def test_stored_masses_rank_as_a_forward_pass_does(order: str, changes: dict[str, dict[str, object]]):
    settings = Settings.from_mapping({"candidates": {"order": order}, **changes})
    heads = [
        HeadSet("headrank", "tiny", 4, 4, chosen, (1.0,) * len(chosen))
        for chosen in [((3, 1),), ((0, 2), (1, 1), (2, 3))]
    ]
    documents = [*passages(6), Document("none", "", ""), Document("nothing", "", " ")]
    candidates = [Candidates(f"q{i}", f"red {i}", tuple(documents[i:] + documents[:i])) for i in range(3)]
    methods = [headrank(h, settings, name=str(i)) for i, h in enumerate(heads)]
    frames, masses, _ = rerank_frozen(tiny_backbone("qwen3"), builder(), methods, candidates, settings)
    # Any ranking of the pass will do to start from: the other head set's.
    for mine, other in [(0, 1), (1, 0)]:
        found = StoredMasses.of(masses, frames[str(other)], settings).run(heads[mine].heads)
        for qid, expected in frames[str(mine)].groupby("qid"):
            docids, scores = zip(*found[str(qid)], strict=True)
            assert list(docids) == expected["docid"].tolist()
            text = ~expected["empty"].to_numpy()
            np.testing.assert_allclose(np.array(scores)[text], expected["score"][text], rtol=1e-4)
            assert list(scores) == sorted(scores, reverse=True)


def test_ties_are_broken_as_in_the_forward_pass():
    masses = made_up_features(np.ones((1, 1, 4)), 1, 1)
    rows = [("0", d, p, 0.0, p, False, 9, 1) for p, d in enumerate("abcd")]
    ranking = pd.DataFrame(rows, columns=COLUMNS)
    # Prompt positions from a to d, ties by first-stage rank.
    shuffled = sorted("abcd", key=lambda docid: prompt_order("0", 4, "shuffled")["abcd".index(docid)])
    assert shuffled != list("abcd")
    for order, expected in [("best-first", "abcd"), ("best-last", "dcba"), ("shuffled", shuffled)]:
        settings = Settings.from_mapping({"candidates": {"order": order}})
        run = StoredMasses.of(masses, ranking, settings).run([(0, 0)])
        assert [docid for docid, _ in run["0"]] == list(expected)


def test_random_heads_are_as_many_as_chosen_and_differ_from_draw_to_draw():
    heads = HeadSet("headrank", "made-up", 4, 6, ((0, 1), (2, 5), (3, 0)), (1.0,) * 3)
    drawn = random_heads(heads, 20, seed=0)
    assert drawn == random_heads(heads, 20, seed=0)
    assert drawn != random_heads(heads, 20, seed=1)
    assert {len(set(chosen)) for chosen in drawn} == {3}
    assert len(set(drawn)) > 15
    every = {head for chosen in random_heads(heads, 200, seed=0) for head in chosen}
    assert every == {(layer, head) for layer in range(4) for head in range(6)}


def test_layers():
    assert layer_heads(2, 3) == [((0, 0), (0, 1), (0, 2)), ((1, 0), (1, 1), (1, 2))]
