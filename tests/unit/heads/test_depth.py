"""Head choice among the first layers only."""

from __future__ import annotations

from typing import Any

from support import lists_frame, made_up_features

from headrank.heads.depth import depth_heads
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
