"""How much depth head selection needs: HeadRank's choice among the first layers only, on stored features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from headrank.engine.features import Features
from headrank.errors import InputError, RunError
from headrank.evaluation.evaluate import evaluate
from headrank.evaluation.metrics import MetricEntry
from headrank.evaluation.significance import Floats, Resampling, bootstrap_interval
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses
from headrank.heads.selection import select_headrank
from headrank.settings import Settings

if TYPE_CHECKING:
    from headrank.data.trec import Qrels, Run


def depth_heads(features: Features, lists: pd.DataFrame, settings: Settings) -> Mapping[int, HeadSet]:
    """HeadRank's choice among the first d layers, for every d at which there is one."""
    chosen = {}
    for depth in range(1, features.n_layers + 1):
        try:
            chosen[depth] = select_headrank(features, lists, settings.selection, settings.mass, layers=depth)
        except RunError:
            raise
        except InputError:
            # No head of the first layers tells grades apart: the curve starts where one does.
            continue
    return chosen


def depth_curve(
    chosen: Iterable[tuple[int, HeadSet]],
    stored: Mapping[str, StoredMasses],
    qrels: Mapping[str, Qrels],
    backbone: str,
    metric: MetricEntry,
    settings: Resampling,
) -> pd.DataFrame:
    """The metric of each depth's heads, untrained, on each benchmark, from stored masses.

    chosen: the items of ``depth_heads``. stored, qrels: of each benchmark, by its name. Columns: backbone, benchmark,
    share (of the layers), value (mean of the metric over queries), low, high (bootstrap interval over queries).
    """
    rows: list[tuple[object, ...]] = []
    shown: object = None
    found: list[tuple[str, float, float, float]] = []
    for depth, heads in chosen:
        # More layers often do not change the choice.
        if heads.heads != shown:
            runs = ((name, masses.run(heads.heads)) for name, masses in stored.items())
            found = [
                (name, float(values.mean()), *bootstrap_interval([values], settings))
                for name, values in values_of(runs, qrels, metric)
            ]
            shown = heads.heads
        share = depth / heads.n_layers
        rows += [(backbone, name, share, *numbers) for name, *numbers in found]
    return pd.DataFrame(rows, columns=["backbone", "benchmark", "share", "value", "low", "high"])


def depth_marks(
    heads: HeadSet,
    trained: Iterable[tuple[str, Run]],
    qrels: Mapping[str, Qrels],
    backbone: str,
    metric: MetricEntry,
) -> pd.DataFrame:
    """What is marked on the curve: the depth of HeadRank's heads, and HeadRank's metric there after training.

    trained: each benchmark's name and HeadRank's run. Columns: backbone, benchmark ("" for the depth), kind
    ("deepest", "trained"), share, value (NaN: on the curve).
    """
    share = heads.depth / heads.n_layers
    marks = [(backbone, "", "deepest", share, float("nan"))]
    marks += [
        (backbone, name, "trained", share, float(values.mean()))
        for name, values in values_of(trained, qrels, metric)
    ]
    return pd.DataFrame(marks, columns=["backbone", "benchmark", "kind", "share", "value"])


def values_of(
    runs: Iterable[tuple[str, Run]], qrels: Mapping[str, Qrels], metric: MetricEntry
) -> Iterator[tuple[str, Floats]]:
    """Each benchmark's name and the metric of its judged queries, (queries,)."""
    for name, run in runs:
        yield name, evaluate(run, qrels[name], [metric])["value"].to_numpy()
