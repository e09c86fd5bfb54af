"""Preference pairs (R7): hard pairs between adjacent grade levels of a list."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.data.training_lists import by_list
from headrank.engine.features import Features
from headrank.engine.list_scores import list_scores
from headrank.errors import InputError, RunError
from headrank.heads.criteria import adjacent_levels
from headrank.heads.head_set import HeadSet
from headrank.settings import MassSettings, PairSettings

Pairs = NDArray[np.int64]


def mine_list(
    grades: NDArray[np.int64], scores: NDArray[np.float64], settings: PairSettings, rng: np.random.Generator
) -> Pairs:
    """Pairs of one list: (pairs, 2) prompt positions, the better document first.

    grades: by position, -1 = unjudged, which never enters a pair. scores: f of R8, by position.
    ``adjacent-hard`` keeps the ``per_list`` pairs with the smallest margin f(better) - f(worse), inversions first; at
    least ``middle_share`` of them, or as many as there are, have the worse document in the middle zone.
    ``adjacent`` draws from the same pairs at random, ``random`` from all pairs of unequal grade.
    """
    if settings.strategy == "random":
        judged = np.flatnonzero(grades >= 0)
        better, worse = np.meshgrid(judged, judged, indexing="ij")
        keep = grades[better] > grades[worse]
        pool = np.stack([better[keep], worse[keep]], axis=1)
    else:
        blocks = []
        for high, low in adjacent_levels(grades):
            better, worse = np.meshgrid(
                np.flatnonzero(grades == high), np.flatnonzero(grades == low), indexing="ij"
            )
            blocks.append(np.stack([better.ravel(), worse.ravel()], axis=1))
        pool = np.concatenate(blocks) if blocks else np.empty((0, 2), dtype=np.int64)
    if settings.strategy != "adjacent-hard":
        return pool[rng.permutation(len(pool))[: settings.per_list]]
    margin = scores[pool[:, 0]] - scores[pool[:, 1]]
    hardest = np.argsort(margin, kind="stable")
    in_zone = np.zeros(len(grades), dtype=bool)
    in_zone[settings.middle] = True
    reserved = hardest[in_zone[pool[hardest, 1]]][: int(np.ceil(settings.middle_share * settings.per_list))]
    taken = np.zeros(len(pool), dtype=bool)
    taken[reserved] = True
    rest = hardest[~taken[hardest]][: settings.per_list - len(reserved)]
    taken[rest] = True
    return pool[hardest[taken[hardest]]]


def frozen_scores(
    features: Features, lists: pd.DataFrame, heads: HeadSet, mass: MassSettings, form: str
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
    """(list id, grades, f0) of each list: the frozen backbone's scores under a head set (R8)."""
    if (heads.n_layers, heads.n_heads) != (features.n_layers, features.n_heads):
        raise InputError(f"head set of {heads.model} does not fit the features of {features.model}")
    heads.fits(features.identity, f"head set {heads.method!r}")
    rows = [layer * features.n_heads + head for layer, head in heads.heads]
    for list_id, group in by_list(lists).items():
        at = features.rows([str(list_id)])[0]
        if form == "mass":
            values = features.masses("headrank", at, len(group), mass.length_alpha)
        else:
            values = features.shares(at, len(group), mass)
        scores = list_scores(values[rows], form)
        if not np.isfinite(scores).all():
            raise RunError(
                f"list {list_id}: a frozen score is not finite; check the settings of headrank.mass and headrank.loss"
            )
        yield list_id, group["grade"].to_numpy(dtype=np.int64), scores


def mine_pairs(
    features: Features,
    lists: pd.DataFrame,
    heads: HeadSet,
    mass: MassSettings,
    form: str,
    settings: PairSettings,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of every list from the frozen backbone's stored scores, and those scores.

    Returns (list_id, better, worse, margin) and (list_id, position, score = f0).
    """
    pair_parts, base_parts = [], []
    for list_id, grades, score in frozen_scores(features, lists, heads, mass, form):
        pairs = mine_list(grades, score, settings, np.random.default_rng([seed, list_id]))
        margin = score[pairs[:, 0]] - score[pairs[:, 1]]
        pair_parts.append(
            pd.DataFrame({"list_id": list_id, "better": pairs[:, 0], "worse": pairs[:, 1], "margin": margin})
        )
        base_parts.append(
            pd.DataFrame({"list_id": list_id, "position": np.arange(len(score)), "score": score})
        )
    pairs_frame = pd.concat(pair_parts, ignore_index=True)
    if pairs_frame.empty:
        raise InputError("pair mining: no list has judged documents of two adjacent grades")
    return pairs_frame, pd.concat(base_parts, ignore_index=True)
