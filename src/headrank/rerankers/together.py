"""Reranking with any number of methods in one forward pass per query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from headrank.engine.backbone import Backbone
from headrank.engine.forward import PromptTooLong, Reading, read_prompts
from headrank.errors import InputError
from headrank.heads.head_set import Head
from headrank.process.progress import counted
from headrank.prompts.builder import Prompt, PromptBuilder
from headrank.rerankers.candidates import Candidates, prompt_order
from headrank.rerankers.method import Method

if TYPE_CHECKING:
    from headrank.data.collections import Document
    from headrank.data.trec import Run

COLUMNS = ["qid", "docid", "position", "score", "rank", "empty", "tokens", "rows"]


@torch.no_grad()
def read_candidates(
    backbone: Backbone,
    builder: PromptBuilder,
    methods: Sequence[Method],
    candidates: Sequence[Candidates],
    order: str,
    tokens_per_pass: int = 0,
) -> Iterator[tuple[Candidates, list[int], Reading, list[Head]]]:
    """One pass per query for all methods: (candidates, prompt order, reading, heads in the reading's order).

    The pass ends inside the deepest layer that any method reads.
    """
    heads = list(dict.fromkeys(head for method in methods for head in method.heads))
    sources = [source for method in methods for source in method.sources]
    layers = {method.states_layer for method in methods if method.states_layer is not None}
    if len(layers) > 1:
        raise InputError(
            f"methods read the states of different layers ({sorted(layers)}); give them one layer"
        )
    orders = [prompt_order(c.qid, len(c.documents), order) for c in candidates]

    def prompts() -> Iterator[Prompt]:
        for c, places in zip(candidates, orders, strict=True):
            yield builder.build(c.query, [c.documents[i] for i in places])

    states = next(iter(layers), None)
    readings = read_prompts(backbone, prompts(), heads, sources, tokens_per_pass, states)
    # A single query, as a search stack asks for it, needs no bar.
    alone = len(candidates) == 1
    each = zip(candidates, orders, strict=True)
    for c, places in counted(each, len(candidates), "rerank", "query", disable=alone):
        try:
            reading = next(readings)
        except PromptTooLong as error:
            raise InputError(f"query {c.qid!r}: {error}") from None
        yield c, places, reading, heads


def reading_of(reading: Reading, heads: Sequence[Head], method: Method) -> Reading:
    """A method's own heads and sources, in its order, of a reading of a superset of them."""
    place = {head: i for i, head in enumerate(heads)}
    rows = torch.tensor([place[head] for head in method.heads])
    mass = {source: reading.mass[source][rows.to(reading.mass[source].device)] for source in method.sources}
    return Reading(reading.prompt, mass, reading.states)


def method_scores(
    reading: Reading, heads: Sequence[Head], method: Method, query: str, documents: Sequence[Document]
) -> np.ndarray:
    """(documents,) scores of one method by prompt position, from a reading of a superset of its heads."""
    own = reading_of(reading, heads, method)
    return method.scores(own, query, documents).double().cpu().numpy()


def rank_documents(
    c: Candidates, places: Sequence[int], reading: Reading, heads: Sequence[Head], method: Method
) -> list[tuple[Any, ...]]:
    """One query's ranking by one method: rows of ``COLUMNS`` in final order.

    Documents without text come last; ties are broken by first-stage rank. ``tokens`` counts what the method needs of
    the prompt, the prefix and the branches that it reads; ``rows`` the query tokens whose attention it reads. Raises
    InputError for a score that is not finite.
    """
    documents = [c.documents[i] for i in places]
    scores = method_scores(reading, heads, method, c.query, documents)
    if not np.isfinite(scores).all():
        raise InputError(f"query {c.qid!r}: a score is not finite")
    prompt = reading.prompt
    branches = {branch for branch, _ in method.sources}
    tokens = len(prompt.prefix) + sum(len(getattr(prompt, branch).ids) for branch in branches)
    spans = [getattr(prompt, branch).rows(span) for branch, span in method.sources]
    read = sum(stop - start for start, stop in spans)
    # As the prompt has it: a passage may hold a title that the prompt leaves out, or nothing that has a token.
    empty = [start == stop for start, stop in prompt.text]
    best = sorted(range(len(places)), key=lambda p: (empty[p], -scores[p], places[p]))
    return [
        (c.qid, documents[p].docid, p + 1, float(scores[p]), rank, empty[p], tokens, read)
        for rank, p in enumerate(best, start=1)
    ]


def rerank_together(
    backbone: Backbone,
    builder: PromptBuilder,
    methods: Sequence[Method],
    candidates: Sequence[Candidates],
    order: str,
    tokens_per_pass: int = 0,
) -> dict[str, pd.DataFrame]:
    """Rank every query's candidates with every method: method name -> frame of ``COLUMNS`` in ranked order.

    position: in the prompt, from 1; rank: from 1; score: raw; empty: the passage has no text.
    """
    rows: dict[str, list[tuple[Any, ...]]] = {method.name: [] for method in methods}
    for c, places, reading, heads in read_candidates(
        backbone, builder, methods, candidates, order, tokens_per_pass
    ):
        for method in methods:
            rows[method.name] += rank_documents(c, places, reading, heads, method)
    return {name: pd.DataFrame(part, columns=COLUMNS) for name, part in rows.items()}


def as_run(frame: pd.DataFrame) -> Run:
    """The ranking as a run, best first."""
    ordered = frame.sort_values(["rank"], kind="stable")
    return {
        str(qid): list(zip(group["docid"], group["score"].astype(float), strict=True))
        for qid, group in ordered.groupby("qid", sort=False)
    }
