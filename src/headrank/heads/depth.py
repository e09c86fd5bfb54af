"""How much depth head selection needs: HeadRank's choice among the first layers only, on stored features."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from headrank.engine.features import Features
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.heads.selection import select_headrank
from headrank.settings import Settings


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
