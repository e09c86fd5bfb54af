"""Head choice of the methods beside HeadRank: QRHead, CoRe, Selective-ICR's band and CompRank's layer.

Each works on the stored features of judged lists alone. Sources: docs/methods.md, sections 2, 3, 6 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.engine.features import Features
from headrank.errors import InputError
from headrank.heads.criteria import Array, contrast, ndcg_of_heads
from headrank.heads.head_set import HeadSet
from headrank.heads.selection import each_list, mean_by_query, top_heads
from headrank.settings import BaselineSettings

Grades = NDArray[np.int64]
Provenance = dict[str, Any]


def detect(
    criterion: str,
    features: Features,
    lists: pd.DataFrame,
    settings: BaselineSettings,
    provenance: Provenance | None = None,
) -> HeadSet:
    """The heads that a criterion of ``CRITERIA`` chooses; its name is the head set's method.

    Raises InputError when no list has both relevant and other documents.
    """
    return CRITERIA[criterion](criterion, features, lists, settings, dict(provenance or {}))


def _gold_mass(
    name: str, features: Features, lists: pd.DataFrame, settings: BaselineSettings, provenance: Provenance
) -> HeadSet:
    """QRHead: mean mass on the relevant documents, calibrated and masked per head."""

    def statistic(values: Array, grades: Grades) -> Array:
        found: Array = values[:, grades >= settings.relevant].sum(axis=1)
        return found

    score = _by_query(name, features, lists, "qrhead", statistic)
    return _chosen(name, features, score, settings.qrhead_k, provenance)


def _solo_ndcg(
    name: str, features: Features, lists: pd.DataFrame, settings: BaselineSettings, provenance: Provenance
) -> HeadSet:
    """QRHead as its released code judges heads on BEIR: nDCG@10 of the head alone, calibrated and masked."""
    score = _by_query(name, features, lists, "qrhead", ndcg_of_heads)
    return _chosen(name, features, score, settings.qrhead_k, provenance)


def _contrast(
    name: str, features: Features, lists: pd.DataFrame, settings: BaselineSettings, provenance: Provenance
) -> HeadSet:
    """CoRe: softmax contrast of each relevant document against the others, at the temperature that ranks best.

    Of several temperatures each chooses heads on part of the queries, which then rank the held-out rest (by their
    summed, calibrated and masked masses); the winner, the larger of equals, chooses on all queries. ``core-pruned``
    chooses among the first layers only: what pruning the model and detecting anew would find, since a layer does not
    depend on those above it.
    """
    layers = features.n_layers
    if name == "core-pruned":
        layers = max(1, int(layers * (1 - settings.core_prune)))
    allowed = np.arange(features.n_layers * features.n_heads) // features.n_heads < layers
    temperatures = settings.core_temperatures
    if not temperatures:
        raise InputError("baselines.core_temperatures: names no temperature")
    qids = np.array(sorted(lists["qid"].unique()))
    count = round(settings.core_heldout * len(qids))
    if len(temperatures) > 1 and not 0 < count < len(qids):
        raise InputError(
            f"baselines.core_heldout: of {len(qids)} queries {count} would be held out; give one temperature, or a"
            " share that leaves some queries on either side"
        )

    def judged(part: pd.DataFrame, temperature: float) -> Array:
        def statistic(values: Array, grades: Grades) -> Array:
            positive = grades >= settings.relevant
            if not positive.any() or positive.all():
                return np.full(values.shape[0], np.nan)
            return contrast(values[:, positive], values[:, ~positive], temperature)

        return _by_query(name, features, part, "core", statistic)

    found: dict[float, float] = {}
    if len(temperatures) > 1:
        # Every n-th query of a sorted list: held out without a seed.
        held = set(qids[np.linspace(0, len(qids) - 1, count).round().astype(int)])
        outside = lists["qid"].isin(held)
        for temperature in temperatures:
            heads = _chosen(
                name, features, judged(lists[~outside], temperature), settings.core_k, {}, allowed
            )
            rows = [layer * features.n_heads + head for layer, head in heads.heads]

            def together(values: Array, grades: Grades, rows: list[int] = rows) -> Array:
                return ndcg_of_heads(values[rows].sum(axis=0, keepdims=True), grades)

            found[temperature] = float(_by_query(name, features, lists[outside], "qrhead", together)[0])
    best = max(temperatures, key=lambda t: (found.get(t, 0.0), t))
    provenance |= {"temperature": best, "heldout_ndcg": {str(t): value for t, value in found.items()}}
    return _chosen(name, features, judged(lists, best), settings.core_k, provenance, allowed)


def _band(
    name: str, features: Features, lists: pd.DataFrame, settings: BaselineSettings, provenance: Provenance
) -> HeadSet:
    """Selective-ICR: all heads of the layers round the peak of nDCG@10 per layer, the middle preferred.

    Each layer is judged as ICR with its heads alone. The published rule is a window of four layers round the peak of
    a bell-shaped curve; the window here has the largest sum of nDCG weighted by a Gaussian round the middle layer.
    """
    by_layer = _by_query(name, features, lists, "icr_layers", ndcg_of_heads)
    layers = features.n_layers
    width = min(settings.selective_layers, layers)
    middle, spread = (layers - 1) / 2, settings.selective_spread * layers
    weight = np.exp(-(((np.arange(layers) - middle) / spread) ** 2) / 2)
    sums = np.convolve(by_layer * weight, np.ones(width), mode="valid")
    first = int(sums.argmax())
    provenance |= {"layers": [first, first + width - 1], "ndcg_by_layer": by_layer.tolist()}
    return _layers(name, features, by_layer, range(first, first + width), provenance)


def _best_layer(
    name: str, features: Features, lists: pd.DataFrame, settings: BaselineSettings, provenance: Provenance
) -> HeadSet:
    """The layer whose heads together rank best by raw mass: where CompRank points from, as far as one may guess."""

    def statistic(values: Array, grades: Grades) -> Array:
        return ndcg_of_heads(values.reshape(features.n_layers, features.n_heads, -1).sum(axis=1), grades)

    by_layer = _by_query(name, features, lists, "headrank", statistic)
    best = int(by_layer.argmax())
    provenance |= {"layers": [best, best], "ndcg_by_layer": by_layer.tolist()}
    return _layers(name, features, by_layer, range(best, best + 1), provenance)


CRITERIA: Mapping[str, Callable[[str, Features, pd.DataFrame, BaselineSettings, Provenance], HeadSet]] = {
    "qrhead": _gold_mass,
    "qrhead-ndcg": _solo_ndcg,
    "core": _contrast,
    "core-pruned": _contrast,
    "selective-icr": _band,
    "best-layer": _best_layer,
}


def _by_query(
    name: str,
    features: Features,
    lists: pd.DataFrame,
    values: str,
    statistic: Callable[[Array, Grades], Array],
) -> Array:
    """The mean over queries of a statistic, a value per row of the stored values (heads or layers)."""
    rows, qids = [], []
    for qid, grades, stored, _ in each_list(features, lists, values):
        rows.append(statistic(stored, grades))
        qids.append(qid)
    means = mean_by_query(rows, qids)
    if np.isnan(means).all():
        raise InputError(f"head selection ({name}): no training list has both relevant and other documents")
    found: Array = np.nanmean(means, axis=0)
    return found


def _chosen(
    name: str,
    features: Features,
    score: Array,
    k: int,
    provenance: Provenance,
    allowed: NDArray[np.bool_] | None = None,
) -> HeadSet:
    finite = np.isfinite(score)
    permitted = finite if allowed is None else finite & allowed
    return top_heads(name, features, score, permitted, k, {"selection": score}, provenance)


def _layers(name: str, features: Features, by_layer: Array, layers: range, provenance: Provenance) -> HeadSet:
    score = np.repeat(by_layer, features.n_heads)
    permitted = np.isin(np.arange(len(score)) // features.n_heads, list(layers))
    return _chosen(name, features, score, len(layers) * features.n_heads, provenance, permitted)
