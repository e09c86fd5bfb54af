"""Seconds per query of each method alone, on real candidates: how long a search stack that runs only it would wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from headrank.engine.backbone import Backbone
from headrank.generative.settings import GenerativeSettings
from headrank.methods.ask import rerank_asked
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import Method, rerank_together
from headrank.rerankers.candidates import Candidates

COLUMNS = ["method", "qid", "passages", "seconds", "layers"]
Way = Callable[[Candidates], object]


def attention_ways(
    backbone: Backbone, builder: PromptBuilder, methods: Sequence[Method], order: str
) -> dict[str, tuple[Way, int]]:
    """Each attention method alone, and how many layers its pass enters: the last is that of its deepest head."""

    def way(method: Method) -> Way:
        return lambda candidates: rerank_together(backbone, builder, [method], [candidates], order)

    return {method.name: (way(method), 1 + max(layer for layer, _ in method.heads)) for method in methods}


def generative_ways(
    backbone: Backbone, names: Sequence[str], settings: GenerativeSettings
) -> dict[str, tuple[Way, int]]:
    """Each generative reference alone; all of them run the whole model."""

    def way(name: str) -> Way:
        return lambda candidates: rerank_asked(name, backbone, [candidates], settings)

    return {name: (way(name), backbone.n_layers) for name in names}


def time_alone(ways: Mapping[str, tuple[Way, int]], candidates: Sequence[Candidates]) -> pd.DataFrame:
    """Time every way on every query, from texts to ranking: a row of ``COLUMNS`` each.

    Each way answers the first query before anything is timed. The ways take turns, and each query starts with the next
    one, so that a machine that slows down slows all of them.
    """
    names = list(ways)
    for name in names:
        ways[name][0](candidates[0])
    rows = []
    for turn, each in enumerate(candidates):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            way, layers = ways[name]
            begin = time.perf_counter()
            way(each)
            rows.append((name, each.qid, len(each.documents), time.perf_counter() - begin, layers))
    return pd.DataFrame(rows, columns=COLUMNS)
