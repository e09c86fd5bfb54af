"""Head selection of the methods other than HeadRank: QRHead, CoRe, Selective-ICR's band and CompRank's layer.

Each works on the stored features of judged lists alone. Sources: docs/methods.md, sections 2, 3, 6 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.errors import InputError, UsageError
from headrank.heads.criteria import Array, contrast, ndcg_of_heads
from headrank.heads.head_set import HeadSet
from headrank.heads.judged import Judged
from headrank.heads.selection import each_list, mean_by_query, top_heads

Grades = NDArray[np.int64]


def relevant_mass(name: str, judged: Judged) -> HeadSet:
    """QRHead: mean mass on the relevant documents, calibrated and masked per head."""
    settings = judged.settings.baselines

    def statistic(values: Array, grades: Grades) -> Array:
        found: Array = values[:, grades >= settings.relevant].sum(axis=1)
        return found

    return best_heads(name, judged, mean_statistic(name, judged, "qrhead", statistic), settings.qrhead_k)


def own_ndcg(name: str, judged: Judged) -> HeadSet:
    """QRHead as its released code judges heads on BEIR: nDCG@10 of the head alone, calibrated and masked."""
    score = mean_statistic(name, judged, "qrhead", ndcg_of_heads)
    return best_heads(name, judged, score, judged.settings.baselines.qrhead_k)


def contrast_of_relevant(name: str, judged: Judged, pruned: bool = False) -> HeadSet:
    """CoRe: softmax contrast of each relevant document against the others, at the temperature that ranks best.

    If there are several temperatures, each chooses heads on part of the queries, and these heads rank the held-out rest
    (by their summed, calibrated and masked masses). The best temperature, the larger of equals, then chooses on all
    queries. pruned: choose among the first layers only. This finds what pruning the model and detecting again would
    find, since a layer does not depend on those above it.
    """
    features, lists, settings = judged.features, judged.lists, judged.settings.baselines
    layers = max(1, int(features.n_layers * (1 - settings.core_prune))) if pruned else features.n_layers
    allowed = np.arange(features.n_layers * features.n_heads) // features.n_heads < layers
    temperatures = settings.core_temperatures
    if not temperatures:
        raise UsageError("baselines.core_temperatures: names no temperature")
    qids = np.array(sorted(lists["qid"].unique()))
    count = round(settings.core_heldout * len(qids))
    if len(temperatures) > 1 and not 0 < count < len(qids):
        raise UsageError(
            f"baselines.core_heldout: of {len(qids)} queries {count} would be held out; give one temperature, or a"
            " share that leaves some queries on either side"
        )

    def chosen(part: pd.DataFrame, temperature: float, found: Mapping[str, Any]) -> HeadSet:
        def statistic(values: Array, grades: Grades) -> Array:
            positive = grades >= settings.relevant
            if not positive.any() or positive.all():
                return np.full(values.shape[0], np.nan)
            return contrast(values[:, positive], values[:, ~positive], temperature)

        score = mean_statistic(name, judged, "core", statistic, part)
        return best_heads(name, judged, score, settings.core_k, allowed, found)

    ndcg: dict[float, float] = {}
    if len(temperatures) > 1:
        # Every n-th query of a sorted list: held out without a seed.
        held = set(qids[np.linspace(0, len(qids) - 1, count).round().astype(int)])
        outside = lists["qid"].isin(held)
        for temperature in temperatures:
            heads = chosen(lists[~outside], temperature, {}).heads
            rows = [layer * features.n_heads + head for layer, head in heads]

            def together(values: Array, grades: Grades, rows: list[int] = rows) -> Array:
                return ndcg_of_heads(values[rows].sum(axis=0, keepdims=True), grades)

            ndcg[temperature] = float(mean_statistic(name, judged, "qrhead", together, lists[outside])[0])
    best = max(temperatures, key=lambda t: (ndcg.get(t, 0.0), t))
    found = {"temperature": best, "heldout_ndcg": {str(t): value for t, value in ndcg.items()}}
    return chosen(lists, best, found)


def band_of_layers(name: str, judged: Judged) -> HeadSet:
    """Selective-ICR: all heads of the layers around the peak of nDCG@10 per layer, with a preference for the middle.

    Each layer is judged as ICR with its heads alone. The published rule is a window of four layers around the peak of a
    bell-shaped curve; the window here has the largest sum of nDCG weighted by a Gaussian around the middle layer.
    """
    settings, layers = judged.settings.baselines, judged.features.n_layers
    by_layer = mean_statistic(name, judged, "icr_layers", ndcg_of_heads)
    width = min(settings.selective_layers, layers)
    middle, spread = (layers - 1) / 2, settings.selective_spread * layers
    weight = np.exp(-(((np.arange(layers) - middle) / spread) ** 2) / 2)
    sums = np.convolve(by_layer * weight, np.ones(width), mode="valid")
    first = int(sums.argmax())
    return _whole_layers(name, judged, by_layer, range(first, first + width))


def best_layer(name: str, judged: Judged) -> HeadSet:
    """CompRank's layer: the one whose heads together rank best by raw mass. A guess, since no code is public."""
    layers, heads = judged.features.n_layers, judged.features.n_heads

    def statistic(values: Array, grades: Grades) -> Array:
        return ndcg_of_heads(values.reshape(layers, heads, -1).sum(axis=1), grades)

    by_layer = mean_statistic(name, judged, "headrank", statistic)
    best = int(by_layer.argmax())
    return _whole_layers(name, judged, by_layer, range(best, best + 1))


def mean_statistic(
    name: str,
    judged: Judged,
    values: str,
    statistic: Callable[[Array, Grades], Array],
    lists: pd.DataFrame | None = None,
) -> Array:
    """The mean over queries of a statistic, a value per row of the stored values (heads or layers).

    values: the name of values that ``engine.extract`` stores. statistic: a function of (rows, documents) values and the
    documents' grades. lists: part of the judged ones, None for all. Raises InputError when the statistic is NaN
    everywhere.
    """
    rows, qids = [], []
    for qid, grades, stored, _ in each_list(
        judged.features, judged.lists if lists is None else lists, values
    ):
        rows.append(statistic(stored, grades))
        qids.append(qid)
    means = mean_by_query(rows, qids)
    if np.isnan(means).all():
        raise InputError(f"head selection ({name}): no training list has both relevant and other documents")
    found: Array = np.nanmean(means, axis=0)
    return found


def best_heads(
    name: str,
    judged: Judged,
    score: Array,
    k: int,
    allowed: NDArray[np.bool_] | None = None,
    found: Mapping[str, Any] | None = None,
) -> HeadSet:
    """The k heads of the largest score, best first, as the head set of method ``name``.

    score: one value per head of the model, layer by layer. allowed: the heads that may be chosen, None for all. found:
    what else the choice found, for the provenance.
    """
    finite = np.isfinite(score)
    permitted = finite if allowed is None else finite & allowed
    provenance = {**judged.provenance, **(found or {})}
    return top_heads(name, judged.features, score, permitted, k, {"selection": score}, provenance)


def _whole_layers(name: str, judged: Judged, by_layer: Array, layers: range) -> HeadSet:
    heads = judged.features.n_heads
    score = np.repeat(by_layer, heads)
    allowed = np.isin(np.arange(len(score)) // heads, list(layers))
    found = {"layers": [layers.start, layers.stop - 1], "ndcg_by_layer": by_layer.tolist()}
    return best_heads(name, judged, score, len(layers) * heads, allowed, found)
