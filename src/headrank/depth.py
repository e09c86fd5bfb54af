"""How much depth head selection needs: nDCG@10 of frozen heads chosen among the first layers only.

Everything comes from stored masses: the training lists' for the choice, the benchmarks' for the ranking.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from headrank.criteria import list_shares
from headrank.errors import InputError
from headrank.features import Features
from headrank.heads import HeadSet
from headrank.selection import select_headrank
from headrank.settings import Settings


def rank_from_masses(
    masses: Features, ranking: pd.DataFrame, heads: HeadSet, settings: Settings
) -> pd.DataFrame:
    """HeadRank's ranking by a head set, from stored masses instead of a forward pass.

    ranking: any ranking of the same pass (qid, docid, position, ...): it tells which document stands where and which
    are empty. Returns the same columns with this head set's score and rank.
    """
    rows = [layer * masses.n_heads + head for layer, head in heads.heads]
    parts = []
    for qid, group in ranking.groupby("qid", sort=False):
        group = group.sort_values("position", kind="stable")
        values = masses.masses("headrank", masses.rows([str(qid)])[0], len(group), settings.mass.length_alpha)
        shares = list_shares(values[rows], settings.mass.epsilon)
        score = (np.log(shares) if settings.loss.score == "mean-log" else shares).sum(axis=0)
        # Prompt position stands in for first-stage rank as the tie rule, which it is in every unshuffled order.
        tie = group["position"] if settings.candidates.order != "best-last" else -group["position"]
        group = group.assign(score=score, tie=tie)
        group = group.sort_values(["empty", "score", "tie"], ascending=[True, False, True], kind="stable")
        parts.append(group.assign(rank=np.arange(1, len(group) + 1)).drop(columns="tie"))
    return pd.concat(parts, ignore_index=True)


def depth_heads(features: Features, lists: pd.DataFrame, settings: Settings) -> Mapping[int, HeadSet]:
    """HeadRank's choice among the first d layers, for every d at which there is one."""
    chosen = {}
    for depth in range(1, features.n_layers + 1):
        try:
            chosen[depth] = select_headrank(features, lists, settings.selection, settings.mass, layers=depth)
        except InputError:
            # No head of the first layers tells grades apart: the curve starts where one does.
            continue
    return chosen
