"""Controls for head selection, from stored masses: every layer alone and random heads, next to the chosen heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from headrank.evaluation.evaluate import evaluate
from headrank.evaluation.metrics import MetricEntry
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses, layer_heads, random_heads

if TYPE_CHECKING:
    from headrank.data.trec import Qrels, Run


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: its masses, its judgements, and the runs of the methods that the controls are compared with."""

    name: str
    stored: StoredMasses
    qrels: Qrels
    references: Mapping[str, Run]


@dataclass(frozen=True)
class Controls:
    """Means of the metric over queries: columns backbone, benchmark, layer / draw / method, value."""

    layers: pd.DataFrame
    draws: pd.DataFrame
    references: pd.DataFrame


def head_controls(
    benchmarks: Iterable[Benchmark], heads: HeadSet, backbone: str, metric: MetricEntry, draws: int, seed: int
) -> Controls:
    """Rank every benchmark by each layer alone and by ``draws`` random sets of as many heads as ``heads`` has.

    benchmarks: read one at a time. A draw uses the same heads on each. See ``tables.controls_table``. Raises InputError
    for masses of another model than that of ``heads``.
    """
    layers, drawn, references = [], [], []

    def mean(run: Run, qrels: Qrels) -> float:
        return float(evaluate(run, qrels, [metric])["value"].mean())

    for on in benchmarks:
        if on.stored.model is not None:
            heads.fits(on.stored.model, f"head set {heads.method!r}")
        place = (backbone, on.name)
        for layer, chosen in enumerate(layer_heads(heads.n_layers, heads.n_heads)):
            layers.append((*place, layer, mean(on.stored.run(chosen), on.qrels)))
        for draw, chosen in enumerate(random_heads(heads, draws, seed)):
            drawn.append((*place, draw, mean(on.stored.run(chosen), on.qrels)))
        references += [(*place, method, mean(run, on.qrels)) for method, run in on.references.items()]
    keys = ["backbone", "benchmark"]
    return Controls(
        pd.DataFrame(layers, columns=[*keys, "layer", "value"]),
        pd.DataFrame(drawn, columns=[*keys, "draw", "value"]),
        pd.DataFrame(references, columns=[*keys, "method", "value"]),
    )
