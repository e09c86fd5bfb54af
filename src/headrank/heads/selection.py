"""HeadRank's entropy-regularised head selection (R5), on stored features alone, so that ablations take seconds."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.data.training_lists import by_list
from headrank.engine.features import Features
from headrank.engine.list_scores import list_shares, of_the_sum
from headrank.errors import InputError, RunError, UsageError
from headrank.heads.criteria import Array, adjacent_auc, adjacent_contrast, normalised_entropy
from headrank.heads.head_set import HeadSet
from headrank.settings import MassSettings, SelectionSettings

logger = logging.getLogger(__name__)
# Names among the stored features, by the setting's value.
MASSES = {"raw": "headrank", "calibrated": "qrhead"}


def select_headrank(
    features: Features,
    lists: pd.DataFrame,
    selection: SelectionSettings,
    mass: MassSettings,
    layers: int | None = None,
    provenance: dict[str, Any] | None = None,
) -> HeadSet:
    """R5: heads that tell adjacent grades apart and have a low entropy over the list.

    Sel_h = (2 Disc_h - 1) - weight * Ent_h, or Disc_h * (1 - Ent_h). Disc_h is the mean over queries of the AUC
    between adjacent grade levels (or CoRe's contrast with the next lower level as negatives), Ent_h the mean entropy
    of the head's list-normalised masses over log N. Both use raw or calibrated masses (``masses``); raw ones are
    treated as in the read-out (``mass.calibration``). Uses the first ``permutations`` lists of each query; ``layers``
    (by default the share ``depth`` of all layers) restricts the choice to the model's first layers. Heads with Disc_h
    at or below the threshold are never chosen.
    """
    kind = MASSES[selection.masses]
    if layers is None:
        layers = max(1, round(selection.depth * features.n_layers))
    chosen = lists[lists["sample"] < selection.permutations]
    if chosen.empty:
        raise InputError(
            f"head selection: no training lists among the first {selection.permutations} samples"
        )
    disc_rows, ent_rows, qids = [], [], []
    positional = _position_profile(features, chosen, kind, mass)
    debiased = []
    for qid, grades, values, share, token_entropy in _judged(features, chosen, kind, mass):
        if selection.statistic == "auc":
            statistic = adjacent_auc(values, grades)
        else:
            statistic = adjacent_contrast(values, grades, selection.core_temperature)
        qids.append(qid)
        disc_rows.append(statistic)
        ent_rows.append(normalised_entropy(share) if selection.entropy == "list" else token_entropy)
        debiased.append(normalised_entropy(of_the_sum(share / positional[:, : share.shape[1]])))
    by_query = mean_by_query(disc_rows, qids)
    disc = np.nanmean(by_query, axis=0)
    entropy = mean_by_query(ent_rows, qids).mean(axis=0)
    if selection.combine == "additive":
        score = (2 * disc - 1) - selection.entropy_weight * entropy
    else:
        score = disc * (1 - entropy)
    spread = _fold_std(by_query, selection.stability_folds)
    allowed = disc > selection.min_discrimination
    if selection.stability_std is not None:
        allowed &= spread <= selection.stability_std
    allowed &= np.arange(len(score)) // features.n_heads < layers
    statistics = {
        "selection": score,
        "discrimination": disc,
        "entropy": entropy,
        "position_debiased_entropy": mean_by_query(debiased, qids).mean(axis=0),
        "fold_std": spread,
    }
    return top_heads("headrank", features, score, allowed, selection.k, statistics, provenance)


def check_count(k: int, n_layers: int, n_heads: int, where: str) -> None:
    """Raise InputError if a model does not have as many heads as are asked for."""
    if k > n_layers * n_heads:
        raise UsageError(f"{where}: {k} heads of a model that has {n_layers * n_heads}; ask for fewer")


def top_heads(
    method: str,
    features: Features,
    score: Array,
    allowed: NDArray[np.bool_],
    k: int,
    statistics: dict[str, Array],
    provenance: dict[str, Any] | None,
) -> HeadSet:
    """The ``k`` best allowed heads by score, a value per head of the model; statistics: for the head map.

    Raises InputError when no head is allowed, when an allowed one's score is not finite, or when the model has fewer
    than ``k`` heads; warns when fewer than ``k`` are allowed.
    """
    check_count(k, features.n_layers, features.n_heads, f"head selection ({method}) on {features.model}")
    unclear = np.flatnonzero(allowed & ~np.isfinite(score))
    if len(unclear):
        layer, head = divmod(int(unclear[0]), features.n_heads)
        raise RunError(
            f"head selection ({method}) on {features.model}: the score of head {layer}-{head} and of"
            f" {len(unclear) - 1} others is not finite (NaN or infinite); check the settings of headrank.mass and"
            " headrank.selection"
        )
    # A stable sort: of two equal heads the shallower is taken, on every machine.
    order = [int(i) for i in np.argsort(-score, kind="stable") if allowed[i]][:k]
    if not order:
        raise InputError(f"head selection ({method}) on {features.model}: no head tells the grades apart")
    if len(order) < k:
        logger.warning(
            "head selection (%s) on %s: only %d heads instead of %d; the others are out of the layers that may be"
            " chosen from, or do not tell the grades apart well enough",
            method,
            features.model,
            len(order),
            k,
        )
    return HeadSet(
        method,
        features.model,
        features.n_layers,
        features.n_heads,
        tuple(divmod(i, features.n_heads) for i in order),
        tuple(float(score[i]) for i in order),
        {name: tuple(map(float, values)) for name, values in statistics.items()},
        provenance or {},
        features.fingerprint,
    )


def each_list(
    features: Features, lists: pd.DataFrame, name: str, length_alpha: float = 0.0
) -> Iterator[tuple[str, NDArray[np.int64], Array, Array]]:
    """(query id, grades by position, (heads, documents) values, (heads,) token entropy) of each list."""
    for list_id, group in by_list(lists).items():
        row = features.rows([str(list_id)])[0]
        values = features.masses(name, row, len(group), length_alpha)
        entropy = features.of_heads("token_entropy", row)
        yield str(group["qid"].iloc[0]), group["grade"].to_numpy(dtype=np.int64), values, entropy


def mean_by_query(rows: Sequence[Array], qids: Sequence[str]) -> Array:
    """(queries, heads): lists of one query are averaged first, so that each query counts once."""
    if not rows:
        raise InputError("head selection: there are no training lists")
    frame = pd.DataFrame(np.stack(rows))
    return frame.groupby(np.asarray(qids), sort=True).mean().to_numpy()


def _judged(
    features: Features, lists: pd.DataFrame, kind: str, mass: MassSettings
) -> Iterator[tuple[str, NDArray[np.int64], Array, Array, Array]]:
    """``each_list`` with the list's shares after the values; if shares are calibrated, they are the values too."""
    each = each_list(features, lists, kind, mass.length_alpha)
    for list_id, (qid, grades, values, entropy) in zip(by_list(lists), each, strict=True):
        if kind == MASSES["raw"]:
            share = features.shares(features.rows([str(list_id)])[0], len(grades), mass)
            yield qid, grades, share if mass.calibration == "ratio" else values, share, entropy
        else:
            yield qid, grades, values, list_shares(values, mass.epsilon), entropy


def _position_profile(features: Features, lists: pd.DataFrame, kind: str, mass: MassSettings) -> Array:
    """(heads, positions): mean share by prompt position; dividing by it removes a head's preference for positions."""
    shares = [share for _, _, _, share, _ in _judged(features, lists, kind, mass)]
    longest = max(s.shape[1] for s in shares)
    padded = np.full((len(shares), shares[0].shape[0], longest), np.nan)
    for row, share in zip(padded, shares, strict=True):
        row[:, : share.shape[1]] = share
    found: Array = np.nanmean(padded, axis=0)
    return found


def _fold_std(by_query: Array, folds: int) -> Array:
    """(heads,): standard deviation of the discrimination over interleaved folds of queries."""
    parts = [by_query[fold::folds] for fold in range(min(folds, len(by_query)))]
    found: Array = np.std([np.nanmean(part, axis=0) for part in parts], axis=0)
    return found
