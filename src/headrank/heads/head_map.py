"""Head sets as tidy frames: the scores of all heads of a model, and those that were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from headrank.heads.head_set import HeadSet


@dataclass(frozen=True)
class HeadMap:
    """scores: HeadRank's statistics, columns backbone, layer, head, statistic, value. criteria: the selection score by
    every method, with a column method. selected: backbone, method, layer, head."""

    scores: pd.DataFrame
    criteria: pd.DataFrame
    selected: pd.DataFrame


def head_map(sets: Mapping[tuple[str, str], HeadSet]) -> HeadMap:
    """Turn head sets into frames. sets: by (backbone, method)."""
    scores: list[tuple[object, ...]] = []
    selected = []
    for (backbone, method), heads in sets.items():
        selected += [(backbone, method, layer, head) for layer, head in heads.heads]
        scores += [
            (backbone, method, *divmod(i, heads.n_heads), name, value)
            for name, values in heads.statistics.items()
            for i, value in enumerate(values)
        ]
    every = pd.DataFrame(scores, columns=["backbone", "method", "layer", "head", "statistic", "value"])
    return HeadMap(
        scores=every[every["method"] == "headrank"].drop(columns="method"),
        criteria=every[every["statistic"] == "selection"],
        selected=pd.DataFrame(selected, columns=["backbone", "method", "layer", "head"]),
    )
