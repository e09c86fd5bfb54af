"""Head sets as frames."""

from __future__ import annotations

from headrank.heads.head_map import head_map
from headrank.heads.head_set import HeadSet

STATISTICS = {"selection": (0.1, 0.2, 0.3, 0.4), "entropy": (1.0, 2.0, 3.0, 4.0)}
SETS = {
    ("m", "headrank"): HeadSet("headrank", "tiny", 2, 2, ((1, 1), (0, 1)), (0.4, 0.2), STATISTICS),
    ("m", "core"): HeadSet("core", "tiny", 2, 2, ((1, 0),), (0.9,), {"selection": (0.0, 0.1, 0.9, 0.2)}),
}


def test_every_head_has_its_place_and_its_scores() -> None:
    found = head_map(SETS)
    chosen = [
        ("m", "headrank", 1, 1),
        ("m", "headrank", 0, 1),
        ("m", "core", 1, 0),
    ]
    assert list(found.selected.itertuples(index=False, name=None)) == chosen
    # Of HeadRank all statistics, of every method the one that chose.
    assert list(found.scores.columns) == ["backbone", "layer", "head", "statistic", "value"]
    entropy = found.scores[found.scores["statistic"] == "entropy"]
    assert list(zip(entropy["layer"], entropy["head"], entropy["value"], strict=True)) == [
        *((0, 0, 1.0), (0, 1, 2.0), (1, 0, 3.0), (1, 1, 4.0))
    ]
    criteria = found.criteria
    assert set(criteria["statistic"]) == {"selection"}
    assert criteria[criteria["method"] == "core"]["value"].tolist() == [0.0, 0.1, 0.9, 0.2]
    assert len(criteria) == 8
