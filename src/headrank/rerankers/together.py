"""Reranking with any number of methods in one forward pass per query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from headrank.data.rankings import COLUMNS, rank_documents
from headrank.engine.backbone import Backbone
from headrank.engine.finite import NotFinite
from headrank.engine.forward import PromptTooLong, Reading, read_prompts
from headrank.errors import RunError, UsageError, naming
from headrank.heads.head_set import Head
from headrank.process.progress import counted
from headrank.prompts.builder import Prompt, PromptBuilder
from headrank.prompts.candidate_order import prompt_order
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.method import Method

if TYPE_CHECKING:
    from headrank.data.collections import Document


@torch.no_grad()
def readings_of_candidates(
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
        raise UsageError(
            f"methods read the states of different layers ({sorted(layers)}); give them one layer"
        )
    orders = [prompt_order(c.qid, len(c.documents), order) for c in candidates]

    names = [f"query {c.qid!r}" for c in candidates]

    def prompts() -> Iterator[Prompt]:
        for c, places, name in zip(candidates, orders, names, strict=True):
            with naming(name):
                prompt = builder.build(c.query, [c.documents[i] for i in places], c.most_tokens)
            yield prompt

    states = next(iter(layers), None)
    readings = read_prompts(backbone, prompts(), heads, sources, tokens_per_pass, states, names=names)
    # A single query, as a search stack sends it, needs no progress bar.
    alone = len(candidates) == 1
    each = zip(candidates, orders, strict=True)
    for c, places in counted(each, len(candidates), "rerank", "query", disable=alone):
        try:
            reading = next(readings)
        except (NotFinite, PromptTooLong) as error:
            raise type(error)(f"query {c.qid!r}: {error}") from None
        yield c, places, reading, heads


def reading_of(reading: Reading, heads: Sequence[Head], method: Method) -> Reading:
    """The reading of a method's own heads and sources, in its order, from a reading of a superset of them."""
    place = {head: i for i, head in enumerate(heads)}
    rows = torch.tensor([place[head] for head in method.heads])
    mass = {source: reading.mass[source][rows.to(reading.mass[source].device)] for source in method.sources}
    return Reading(reading.prompt, mass, reading.states)


def method_scores(
    reading: Reading, heads: Sequence[Head], method: Method, query: str, documents: Sequence[Document]
) -> list[float]:
    """(documents,) scores of one method by prompt position, from a reading of a superset of its heads."""
    own = reading_of(reading, heads, method)
    found: list[float] = method.scores(own, query, documents).tolist()
    return found


def rank_candidates(
    c: Candidates, places: Sequence[int], reading: Reading, heads: Sequence[Head], method: Method
) -> list[tuple[Any, ...]]:
    """One query's ranking by one method: rows of ``COLUMNS`` in final order.

    Documents without text come last; ties are broken by first-stage rank. ``tokens`` counts the part of the prompt that
    the method needs: the prefix and the branches that it reads. ``rows`` counts the query tokens whose attention it
    reads. Raises InputError for a score that is not finite.
    """
    documents = [c.documents[i] for i in places]
    scores = method_scores(reading, heads, method, c.query, documents)
    if not np.isfinite(scores).all():
        raise RunError(f"query {c.qid!r}: a score is not finite ({method.name})")
    prompt = reading.prompt
    branches = {branch for branch, _ in method.sources}
    tokens = len(prompt.prefix) + sum(len(getattr(prompt, branch).ids) for branch in branches)
    spans = [getattr(prompt, branch).rows(span) for branch, span in method.sources]
    read = sum(stop - start for start, stop in spans)
    # Empty in the prompt: a passage may hold only a title that the prompt leaves out, or nothing that has a token.
    empty = [start == stop for start, stop in prompt.text]
    ranked = rank_documents([document.docid for document in documents], scores, places, empty)
    return [(c.qid, *row, tokens, read) for row in ranked]


def rerank_together(
    backbone: Backbone,
    builder: PromptBuilder,
    methods: Sequence[Method],
    candidates: Sequence[Candidates],
    order: str,
    tokens_per_pass: int = 0,
) -> dict[str, pd.DataFrame]:
    """Rank every query's candidates with every method: method name -> frame of ``COLUMNS`` in ranked order."""
    rows: dict[str, list[tuple[Any, ...]]] = {method.name: [] for method in methods}
    for c, places, reading, heads in readings_of_candidates(
        backbone, builder, methods, candidates, order, tokens_per_pass
    ):
        for method in methods:
            rows[method.name] += rank_candidates(c, places, reading, heads, method)
    return {name: pd.DataFrame(part, columns=COLUMNS) for name, part in rows.items()}
