"""Head selection on stored features: HeadRank's entropy-regularised criterion, QRHead's and CoRe's.

Works on per-head document masses alone, so that every ablation of the criterion costs seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.errors import InputError
from headrank.features import Features
from headrank.heads import HeadSet
from headrank.lists import by_list
from headrank.settings import BaselineSettings, MassSettings, SelectionSettings

Array = NDArray[np.float64]


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
    of the head's list-normalised masses over log N. Uses the first ``permutations`` lists of each query; ``layers``
    restricts the choice to the model's first layers. Heads with Disc_h at or below the threshold are never chosen.
    """
    chosen = lists[lists["sample"] < selection.permutations]
    if chosen.empty:
        raise InputError(
            f"head selection: no training lists among the first {selection.permutations} samples"
        )
    disc_rows, ent_rows, qids = [], [], []
    positional = _position_profile(features, chosen, mass)
    debiased = []
    for qid, grades, values, token_entropy in _each_list(features, chosen, "headrank", mass.length_alpha):
        if selection.statistic == "auc":
            statistic = adjacent_auc(values, grades)
        else:
            statistic = adjacent_contrast(values, grades, selection.core_temperature)
        share = list_shares(values, mass.epsilon)
        qids.append(qid)
        disc_rows.append(statistic)
        ent_rows.append(normalised_entropy(share) if selection.entropy == "list" else token_entropy)
        flat = share / positional[:, : share.shape[1]]
        debiased.append(normalised_entropy(flat / flat.sum(axis=1, keepdims=True)))
    by_query = _mean_by_query(disc_rows, qids)
    disc = np.nanmean(by_query, axis=0)
    entropy = _mean_by_query(ent_rows, qids).mean(axis=0)
    if selection.combine == "additive":
        score = (2 * disc - 1) - selection.entropy_weight * entropy
    else:
        score = disc * (1 - entropy)
    spread = _fold_std(by_query, selection.stability_folds)
    allowed = disc > selection.min_discrimination
    if selection.stability_std is not None:
        allowed &= spread <= selection.stability_std
    if layers is not None:
        allowed &= np.arange(len(score)) // features.n_heads < layers
    statistics = {
        "selection": score,
        "discrimination": disc,
        "entropy": entropy,
        "position_debiased_entropy": _mean_by_query(debiased, qids).mean(axis=0),
        "fold_std": spread,
    }
    return _head_set("headrank", features, score, allowed, selection.k, statistics, provenance)


def select_qrhead(
    features: Features,
    lists: pd.DataFrame,
    baselines: BaselineSettings,
    provenance: dict[str, Any] | None = None,
) -> HeadSet:
    """QRHead: mean mass on relevant documents (calibrated, masked per head), or nDCG@10 of the head alone."""
    statistic: Callable[[Array, NDArray[np.int64]], Array]
    if baselines.qrhead_statistic == "gold-mass":

        def statistic(values: Array, grades: NDArray[np.int64]) -> Array:
            return values[:, grades >= baselines.relevant].sum(axis=1)
    else:

        def statistic(values: Array, grades: NDArray[np.int64]) -> Array:
            return ndcg_of_heads(values, grades)

    return _select_baseline("qrhead", features, lists, "qrhead", statistic, baselines.qrhead_k, provenance)


def select_core(
    features: Features,
    lists: pd.DataFrame,
    baselines: BaselineSettings,
    provenance: dict[str, Any] | None = None,
) -> HeadSet:
    """CoRe: softmax contrast of each relevant document against the non-relevant ones, at a temperature."""

    def statistic(values: Array, grades: NDArray[np.int64]) -> Array:
        positive = grades >= baselines.relevant
        if not positive.any() or positive.all():
            return np.full(values.shape[0], np.nan)
        return contrast(values[:, positive], values[:, ~positive], baselines.core_temperature)

    return _select_baseline("core", features, lists, "core", statistic, baselines.core_k, provenance)


def _select_baseline(
    method: str,
    features: Features,
    lists: pd.DataFrame,
    name: str,
    statistic: Callable[[Array, NDArray[np.int64]], Array],
    k: int,
    provenance: dict[str, Any] | None,
) -> HeadSet:
    rows, qids = [], []
    for qid, grades, values, _ in _each_list(features, lists, name):
        rows.append(statistic(values, grades))
        qids.append(qid)
    by_query = _mean_by_query(rows, qids)
    if np.isnan(by_query).all():
        raise InputError(f"head selection ({method}): no training list has both relevant and other documents")
    score = np.nanmean(by_query, axis=0)
    allowed = np.isfinite(score)
    return _head_set(method, features, score, allowed, k, {"selection": score}, provenance)


def _head_set(
    method: str,
    features: Features,
    score: Array,
    allowed: NDArray[np.bool_],
    k: int,
    statistics: dict[str, Array],
    provenance: dict[str, Any] | None,
) -> HeadSet:
    # A stable sort: of two equal heads the shallower is taken, on every machine.
    order = [int(i) for i in np.argsort(-score, kind="stable") if allowed[i]][:k]
    if not order:
        raise InputError(f"head selection ({method}) on {features.model}: no head tells the grades apart")
    return HeadSet(
        method,
        features.model,
        features.n_layers,
        features.n_heads,
        tuple(divmod(i, features.n_heads) for i in order),
        tuple(float(score[i]) for i in order),
        {name: tuple(map(float, values)) for name, values in statistics.items()},
        provenance or {},
    )


def _each_list(
    features: Features, lists: pd.DataFrame, name: str, length_alpha: float = 0.0
) -> Iterator[tuple[str, NDArray[np.int64], Array, Array]]:
    """(query id, grades by position, (heads, documents) values, (heads,) token entropy) of each list."""
    for list_id, group in by_list(lists).items():
        row = features.rows([str(list_id)])[0]
        values = features.masses(name, row, len(group), length_alpha)
        entropy = features.values["token_entropy"][row].astype(np.float64)
        yield str(group["qid"].iloc[0]), group["grade"].to_numpy(dtype=np.int64), values, entropy


def _mean_by_query(rows: Sequence[Array], qids: Sequence[str]) -> Array:
    """(queries, heads): lists of one query are averaged first, so that each query counts once."""
    if not rows:
        raise InputError("head selection: there are no training lists")
    frame = pd.DataFrame(np.stack(rows))
    return frame.groupby(np.asarray(qids), sort=True).mean().to_numpy()


def adjacent_levels(grades: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(higher, next lower) grade levels among the judged documents of a list; unjudged ones (-1) never count."""
    levels = sorted({int(g) for g in grades if g >= 0}, reverse=True)
    return list(pairwise(levels))


def adjacent_auc(values: Array, grades: NDArray[np.int64]) -> Array:
    """(heads,): mean over adjacent levels of P(higher > lower) + P(equal) / 2; NaN where a list has one level."""
    parts = []
    for high, low in adjacent_levels(grades):
        difference = values[:, grades == high][:, :, None] - values[:, grades == low][:, None, :]
        parts.append((np.sign(difference).mean(axis=(1, 2)) + 1) / 2)
    return np.mean(parts, axis=0) if parts else np.full(values.shape[0], np.nan)


def adjacent_contrast(values: Array, grades: NDArray[np.int64], temperature: float) -> Array:
    """(heads,): CoRe's contrast with the documents of the next lower level as negatives."""
    parts = [
        contrast(values[:, grades == high], values[:, grades == low], temperature)
        for high, low in adjacent_levels(grades)
    ]
    return np.mean(parts, axis=0) if parts else np.full(values.shape[0], np.nan)


def contrast(positive: Array, negative: Array, temperature: float) -> Array:
    """(heads,): mean over positives of exp(m+/t) / (exp(m+/t) + sum exp(m-/t)), computed without overflow."""
    p, n = positive / temperature, negative / temperature
    # The negatives' own maximum is taken out: against a maximum over all, they would underflow at low temperatures.
    top = n.max(axis=1, keepdims=True)
    log_negative = top + np.log(np.exp(n - top).sum(axis=1, keepdims=True))
    return (1 / (1 + np.exp(np.clip(log_negative - p, -700, 700)))).mean(axis=1)


def ndcg_of_heads(values: Array, grades: NDArray[np.int64], depth: int = 10) -> Array:
    """(heads,): nDCG@10 of each head used alone as the ranker of the list (linear gains)."""
    gains = np.maximum(grades, 0).astype(np.float64)
    discount = 1 / np.log2(np.arange(2, depth + 2))
    order = np.argsort(-values, axis=1, kind="stable")[:, :depth]
    ideal = np.sort(gains)[::-1][:depth]
    best = (ideal * discount[: len(ideal)]).sum()
    if best == 0:
        return np.full(values.shape[0], np.nan)
    return (gains[order] * discount[: order.shape[1]]).sum(axis=1) / best


def list_shares(values: Array, epsilon: float) -> Array:
    """p_h(i) of R4: (heads, documents) masses as shares of the list."""
    positive = values.clip(min=0) + epsilon
    return positive / positive.sum(axis=1, keepdims=True)


def normalised_entropy(shares: Array) -> Array:
    """(heads,): entropy of each head's shares over log N, in [0, 1]; a list of one document has none."""
    count = shares.shape[1]
    if count < 2:
        return np.zeros(shares.shape[0])
    return -(shares * np.log(shares.clip(min=1e-300))).sum(axis=1) / np.log(count)


def _position_profile(features: Features, lists: pd.DataFrame, mass: MassSettings) -> Array:
    """(heads, positions): mean share by prompt position; dividing by it takes a head's position habit out."""
    each = _each_list(features, lists, "headrank", mass.length_alpha)
    shares = [list_shares(values, mass.epsilon) for _, _, values, _ in each]
    longest = max(s.shape[1] for s in shares)
    padded = np.full((len(shares), shares[0].shape[0], longest), np.nan)
    for row, share in zip(padded, shares, strict=True):
        row[:, : share.shape[1]] = share
    return np.nanmean(padded, axis=0)


def _fold_std(by_query: Array, folds: int) -> Array:
    """(heads,): standard deviation of the discrimination over interleaved folds of queries."""
    parts = [by_query[fold::folds] for fold in range(min(folds, len(by_query)))]
    return np.std([np.nanmean(part, axis=0) for part in parts], axis=0)
