"""How much depth head selection needs: HeadRank's choice among the first layers only, on stored features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from headrank.engine.features import Features
from headrank.errors import InputError, RunError
from headrank.evaluation.evaluate import evaluate
from headrank.evaluation.metrics import MetricEntry
from headrank.evaluation.significance import Floats, Resampling, bootstrap_interval, mean_of_means
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
    stored: Sequence[StoredMasses],
    qrels: Sequence[Qrels],
    backbone: str,
    metric: MetricEntry,
    settings: Resampling,
) -> pd.DataFrame:
    """The metric of each depth's heads, untrained, as a mean over benchmarks, from stored masses.

    chosen: the items of ``depth_heads``. stored, qrels: of each benchmark. Columns: backbone, share (of the layers),
    value (of the metric), low, high (bootstrap interval over queries).
    """
    rows = []
    shown: object = None
    values: list[Floats] = []
    for depth, heads in chosen:
        # More layers often do not change the choice.
        if heads.heads != shown:
            values = values_of((benchmark.run(heads.heads) for benchmark in stored), qrels, metric)
            shown = heads.heads
        share = depth / heads.n_layers
        rows.append((backbone, share, mean_of_means(values), *bootstrap_interval(values, settings)))
    return pd.DataFrame(rows, columns=["backbone", "share", "value", "low", "high"])


def depth_marks(
    heads: HeadSet, trained: Iterable[Run], qrels: Sequence[Qrels], backbone: str, metric: MetricEntry
) -> pd.DataFrame:
    """What is marked on the curve: the depth of HeadRank's heads, and HeadRank's metric there after training.

    trained: HeadRank's run on each benchmark. Columns: backbone, kind ("deepest", "trained"), share,
    value (NaN: on the curve).
    """
    share = heads.depth / heads.n_layers
    value = mean_of_means(values_of(trained, qrels, metric))
    marks = [(backbone, "deepest", share, float("nan")), (backbone, "trained", share, value)]
    return pd.DataFrame(marks, columns=["backbone", "kind", "share", "value"])


def values_of(runs: Iterable[Run], qrels: Sequence[Qrels], metric: MetricEntry) -> list[Floats]:
    """For each benchmark, the metric of its judged queries, (queries,)."""
    return [
        evaluate(run, judged, [metric])["value"].to_numpy() for run, judged in zip(runs, qrels, strict=True)
    ]
