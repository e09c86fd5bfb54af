"""RouteHead's pseudo labels: for each list the few heads whose summed mass ranks it best.

Works on stored per-head masses; the model is never run again (RouteHead in docs/methods.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrank.engine.features import Features
from headrank.errors import InputError
from headrank.heads.criteria import Array, ndcg_of_heads
from headrank.heads.head_set import HeadSet
from headrank.heads.selection import each_list, mean_by_query, top_heads
from headrank.process.progress import counted

SWAPS = 50


def candidate_heads(
    features: Features, lists: pd.DataFrame, count: int, provenance: dict[str, Any] | None = None
) -> HeadSet:
    """The heads with the best nDCG@10 when used alone, on raw mass, averaged over queries."""
    rows, qids = [], []
    for qid, grades, values, _ in each_list(features, lists, "headrank"):
        rows.append(ndcg_of_heads(values, grades))
        qids.append(qid)
    means = mean_by_query(rows, qids)
    if np.isnan(means).all():
        raise InputError("head selection (routehead): no training list has a relevant document")
    score = np.nanmean(means, axis=0)
    allowed = np.isfinite(score)
    # A router may choose among all heads of a small model.
    most = min(count, features.n_layers * features.n_heads)
    return top_heads("routehead", features, score, allowed, most, {"selection": score}, provenance)


def label_lists(
    features: Features, lists: pd.DataFrame, candidates: HeadSet, budget: int
) -> tuple[list[str], NDArray[np.bool_], Array]:
    """Labels of the lists that have a relevant document: (list ids, (lists, candidates) bool, nDCG@10 each)."""
    candidates.fits(features.identity, "routehead: the candidate heads")
    rows = [layer * features.n_heads + head for layer, head in candidates.heads]
    ids, labels, found = [], [], []
    groups = lists.groupby("list_id", sort=True)
    for list_id, group in counted(groups, groups.ngroups, "labels", "list"):
        group = group.sort_values("position", kind="stable")
        grades = group["grade"].to_numpy(dtype=np.int64)
        if grades.max() < 1:
            continue
        at = features.rows([str(list_id)])[0]
        label, value = search_label(features.masses("headrank", at, len(group))[rows], grades, budget)
        ids.append(str(list_id))
        labels.append(label)
        found.append(value)
    if not ids:
        raise InputError("routehead: no training list has a relevant document")
    return ids, np.stack(labels), np.array(found)


def search_label(values: Array, grades: NDArray[np.int64], budget: int) -> tuple[NDArray[np.bool_], float]:
    """At most ``budget`` heads whose summed mass has the highest nDCG@10 that the search finds, and that nDCG.

    values: (candidates, documents) masses of one list. Heads are added one by one, the best first, as long as nDCG
    rises; then one is exchanged for another as long as that helps. Of equals the first in the candidates' order is
    taken, so that the search is deterministic.
    """
    count = len(values)
    chosen = np.zeros(count, dtype=bool)
    total = np.zeros(values.shape[1])
    best = -1.0
    while chosen.sum() < min(budget, count):
        gains = np.where(chosen, -1.0, ndcg_of_heads(total + values, grades))
        place = int(gains.argmax())
        if gains[place] <= best + 1e-12:
            break
        best, total = float(gains[place]), total + values[place]
        chosen[place] = True
    for _ in range(SWAPS):
        improved = (best + 1e-12, -1, -1)
        for member in np.flatnonzero(chosen):
            gains = np.where(chosen, -1.0, ndcg_of_heads(total - values[member] + values, grades))
            place = int(gains.argmax())
            if gains[place] > improved[0]:
                improved = (float(gains[place]), int(member), place)
        best_value, leaves, enters = improved
        if leaves < 0:
            break
        best, total = best_value, total - values[leaves] + values[enters]
        chosen[leaves], chosen[enters] = False, True
    return chosen, best
