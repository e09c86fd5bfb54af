"""Inference, training, mining and replay give one prompt's documents the same scores and the same ranking.

Scores are compared as f of R8. Inference and replay rank by s of R11, of which f is the rising function that is worked
out here: log(s / heads) for shares that are added, s / heads for logarithms, s itself for masses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support import lists_frame, passages, tiny_backbone
from trainable import COMPRANK

from headrank.data import rankings
from headrank.data.collections import Document
from headrank.data.rankings import as_run
from headrank.data.trec import Run
from headrank.engine import list_scores
from headrank.engine.extract import collect_features
from headrank.evaluation.evaluate import evaluate
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import Candidates, Method, trained
from headrank.rerankers.frozen import rerank_frozen
from headrank.rerankers.headrank import headrank
from headrank.settings import Settings
from headrank.training.examples import Example
from headrank.training.objective import measure_heldout, score_list
from headrank.training.pairs import mine_pairs

HEADS = HeadSet("headrank", "tiny", 4, 4, ((3, 1), (0, 2), (2, 3)), (1.0, 0.5, 0.2))
QUERY = "red oak"
# Of unequal lengths, so that dividing by them counts.
DOCUMENTS = [*passages(9, seed=3), Document("long", "", "river stone cloud " * 6)]
GRADES = np.array([0, 2, 0, 1, -1, 0, 2, 1, 0, 1])
QID = "q"

# Float32 passes that hold different branches round each attention logit on their own. The logits here are of size 1,
# from sums of at most 64 terms, so that one is off by less than 64 * 2^-24, and a document's mass by as much of itself.
# The logarithm makes that an absolute error of f; what follows, in float32 or float64, adds a few 2^-24 of f.
TOLERANCE = 64 * 2.0**-24

CASES: dict[str, dict[str, Any]] = {
    "log-mean": {},
    "lengths": {"mass": {"length_alpha": 0.5}},
    "mean-log": {"loss": {"score": "mean-log"}},
    "ratio": {"mass": {"calibration": "ratio", "length_alpha": 1.0}, "loss": {"score": "mean-log"}},
    "independent": {**COMPRANK, "loss": {"form": "pointer", "score": "mean-log"}},
    "mass": {"mass": {"length_alpha": 0.5}, "loss": {"form": "group-contrastive", "score": "mass"}},
}


@dataclass(frozen=True)
class Found:
    """f by prompt position, and the ranking, of each place that scores."""

    scores: dict[str, np.ndarray]
    rankings: dict[str, list[str]]
    heldout_ndcg: float
    run: Run
    pairs: pd.DataFrame
    tolerance: float


def find(settings: Settings) -> Found:
    backbone = tiny_backbone("qwen3")
    reader = PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding)
    spans = settings.query_span, settings.document_span
    method = trained(HEADS, settings)
    candidates = [Candidates(QID, QUERY, tuple(DOCUMENTS))]
    frames, masses, _ = rerank_frozen(backbone, reader, [method, other(settings)], candidates, settings)
    run = as_run(frames[method.name])
    by_position = frames[method.name].sort_values("position")["score"].to_numpy()
    scores = {"inference": as_f(by_position, settings)}
    rankings = {"inference": frames[method.name]["docid"].tolist()}
    if settings.loss.score != "mass":
        replayed = StoredMasses.of(masses, frames["other"], settings).run(HEADS.heads)[QID]
        of = dict(replayed)
        scores["replay"] = as_f(np.array([of[d.docid] for d in DOCUMENTS]), settings)
        rankings["replay"] = [docid for docid, _ in replayed]
    features = collect_features(backbone, reader, {"0": (QUERY, DOCUMENTS)}, *spans)
    lists = lists_frame([GRADES.tolist()])
    pairs, base = mine_pairs(
        features, lists, HEADS, settings.mass, settings.loss.score, replace(settings.pairs, per_list=999), 0
    )
    scores["mining"] = base["score"].to_numpy()
    prompt = reader.build(QUERY, DOCUMENTS)
    scores["training"] = score_list(backbone, HEADS, prompt, settings).detach().double().numpy()
    example = Example(
        0,
        QID,
        0,
        prompt,
        torch.from_numpy(GRADES),
        torch.tensor(scores["mining"], dtype=torch.float32),
        torch.tensor(pairs[["better", "worse"]].to_numpy()),
    )
    heldout = measure_heldout(backbone, HEADS, [example], settings)
    # Masses have no logarithm: their error is relative.
    size = np.abs(scores["mining"]).max() if settings.loss.score == "mass" else 1.0
    return Found(scores, rankings, heldout["ndcg"], run, pairs, TOLERANCE * size)


def other(settings: Settings) -> Method:
    """What stored masses are replayed from: a ranking by another head."""
    plain = replace(settings, loss=replace(settings.loss, score="log-mean"))
    return headrank(HeadSet("other", "tiny", 4, 4, ((1, 1),), (1.0,)), plain, "other")


def as_f(scores: np.ndarray, settings: Settings) -> np.ndarray:
    if settings.loss.score == "mass":
        return scores
    mean = scores / len(HEADS.heads)
    return mean if settings.loss.score == "mean-log" else np.log(mean)


def agree(found: Found) -> None:
    """All places have the same scores, and whatever ranks by them has the same order."""
    expected = found.scores["mining"]
    for name, scores in found.scores.items():
        np.testing.assert_allclose(scores, expected, rtol=0, atol=found.tolerance, err_msg=name)
    ranking = found.rankings["inference"]
    for name, order in found.rankings.items():
        assert order == ranking, name
    # Held-out lists of training are ranked too; their nDCG is that of inference's run.
    qrels = {QID: {d.docid: int(g) for d, g in zip(DOCUMENTS, GRADES, strict=True) if g >= 0}}
    ndcg = evaluate(found.run, qrels, ["ndcg@10"])["value"].item()
    assert found.heldout_ndcg == pytest.approx(ndcg, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_scores_and_ranking_are_the_same_wherever_they_are_made(name: str):
    found = find(Settings.from_mapping(CASES[name]))
    agree(found)
    # No two documents are so close that the tolerance could exchange them.
    assert np.diff(np.sort(found.scores["mining"])).min() > 2 * found.tolerance
    falling = [DOCUMENTS[i].docid for i in np.argsort(-found.scores["mining"])]
    assert found.rankings["inference"] == falling
    # A mined pair is an inversion where the ranking has the worse document first.
    place = {docid: rank for rank, docid in enumerate(falling)}
    for pair in found.pairs.itertuples():
        better, worse = (place[DOCUMENTS[i].docid] for i in (pair.better, pair.worse))
        assert (pair.margin < 0) == (worse < better)


def other_lengths(mass: Any, lengths: Any, alpha: float) -> Any:
    return mass * lengths.clip(1) if alpha else mass


def other_shares(mass: Any, epsilon: float, null: Any = None) -> Any:
    return (mass.clip(0) + epsilon) ** 0.5 + (0 if null is None else null.clip(0))


def other_sum(values: Any, logarithm: bool) -> Any:
    return (values * values).sum(0) if not logarithm else -(values**-0.5).sum(0)


def other_order(scores: Any, ties: Any = None, last: Any = None) -> Any:
    # The best in the middle: no document keeps its place by chance, whatever the scores are.
    order = [int(i) for i in np.argsort(np.asarray(scores))]
    return order[::2] + order[1::2]


@pytest.mark.parametrize(
    ("name", "common", "another"),
    [
        ("lengths", list_scores.over_length, other_lengths),
        ("lengths", list_scores.list_shares, other_shares),
        ("ratio", list_scores.list_shares, other_shares),
        ("lengths", list_scores.add_heads, other_sum),
        ("ratio", list_scores.add_heads, other_sum),
    ],
)
def test_all_of_them_follow_the_common_functions(
    name: str, common: Callable[..., Any], another: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    """A place with an arithmetic of its own would keep its scores when the common one changes."""
    settings = Settings.from_mapping(CASES[name])
    before = find(settings)
    # In the function itself, so that it changes wherever it was imported.
    monkeypatch.setattr(common, "__code__", another.__code__)
    after = find(settings)
    assert set(after.scores) == {"inference", "training", "mining", "replay"}
    for place, scores in after.scores.items():
        assert np.abs(scores - before.scores[place]).max() > 1000 * TOLERANCE, place
    agree(after)


def test_all_that_rank_follow_the_common_order(monkeypatch: pytest.MonkeyPatch):
    settings = Settings()
    before = find(settings)
    monkeypatch.setattr(rankings.best_first, "__code__", other_order.__code__)
    after = find(settings)
    order = [DOCUMENTS[i].docid for i in other_order(before.scores["mining"])]
    assert order != before.rankings["inference"]
    assert after.rankings == {"inference": order, "replay": order}
    assert after.heldout_ndcg != pytest.approx(before.heldout_ndcg, abs=1e-3)
