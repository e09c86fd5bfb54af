"""All frozen-backbone methods of one backbone and benchmark, in one forward pass per query.

Besides the rankings, the pass returns every head's document masses, so that ablations over head sets, depth or K never
run the model again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from headrank.data.rankings import COLUMNS
from headrank.engine.backbone import Backbone
from headrank.engine.extract import document_lengths, headrank_kernel, null_kernel, stack_all
from headrank.engine.features import Features
from headrank.engine.scoring import head_scores
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.method import Method
from headrank.rerankers.together import rank_candidates, readings_of_candidates
from headrank.settings import Settings


@torch.no_grad()
def rerank_frozen(
    backbone: Backbone,
    builder: PromptBuilder,
    methods: Sequence[Method],
    candidates: Sequence[Candidates],
    settings: Settings,
    tokens_per_pass: int = 0,
) -> tuple[dict[str, pd.DataFrame], Features, pd.DataFrame]:
    """Rankings of every method, HeadRank's raw masses of every head, and the heads that routing methods chose by query.

    Returns: method name -> frame as from ``rerank_together``; Features, whose ids are query ids, with ``headrank`` and
    ``null`` (queries, heads, documents by prompt position: raw masses under the query and under the null query) and
    ``lengths`` (queries, documents); a frame of qid, method, layer, head.
    """
    spans = settings.query_span, settings.document_span
    kernels = {"headrank": headrank_kernel(*spans), "null": null_kernel(*spans)}
    every = [
        Method(f"all heads: {name}", tuple(backbone.all_heads()), kernel) for name, kernel in kernels.items()
    ]
    rows: dict[str, list[tuple[Any, ...]]] = {method.name: [] for method in methods}
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in (*kernels, "lengths")}
    routes: list[tuple[Any, ...]] = []
    for c, places, reading, heads in readings_of_candidates(
        backbone, builder, [*every, *methods], candidates, settings.candidates.order, tokens_per_pass
    ):
        for method in methods:
            rows[method.name] += rank_candidates(c, places, reading, heads, method)
            chosen = method.chosen(reading)
            routes += [(c.qid, method.name, *head) for head in chosen or ()]
        # ``every`` comes first, so the reading's heads are all heads, layer by layer.
        for name, kernel in kernels.items():
            parts[name].append(head_scores(reading, kernel).cpu().numpy())
        parts["lengths"].append(document_lengths(reading, settings.document_span))
    frames = {name: pd.DataFrame(part, columns=COLUMNS) for name, part in rows.items()}
    ids = tuple(c.qid for c in candidates)
    shape = (backbone.n_layers, backbone.n_heads)
    masses = Features(backbone.name, *shape, ids, stack_all(parts), backbone.identity.fingerprint)
    return frames, masses, pd.DataFrame(routes, columns=["qid", "method", "layer", "head"])
