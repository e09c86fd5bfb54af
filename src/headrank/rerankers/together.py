"""Reranking with any number of methods in one forward pass per query."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from headrank.backbone import Backbone
from headrank.errors import InputError
from headrank.heads import Head
from headrank.prompt import Prompt, PromptBuilder
from headrank.reading import Reading, read_prompts
from headrank.rerankers.method import Method
from headrank.scoring import document_scores

if TYPE_CHECKING:
    from headrank.collections import Document
    from headrank.runs import Run

COLUMNS = ["qid", "docid", "position", "score", "rank", "empty", "tokens", "rows"]


@dataclass(frozen=True)
class Candidates:
    """One query with its candidates in first-stage order."""

    qid: str
    query: str
    documents: tuple[Document, ...]


def gather_candidates(
    queries: Mapping[str, str], run: Run, passages: Mapping[str, Document], depth: int
) -> list[Candidates]:
    """The first ``depth`` candidates of every query of the run, with their texts.

    Raises InputError for a query without text, without candidates, or with a candidate that has no text at hand.
    """
    gathered = []
    for qid, ranked in run.items():
        if qid not in queries:
            raise InputError(f"query {qid!r} is in the run but not among the queries")
        if not ranked:
            raise InputError(f"query {qid!r} has no candidates")
        docids = [docid for docid, _ in ranked[:depth]]
        absent = [docid for docid in docids if docid not in passages]
        if absent:
            raise InputError(
                f"query {qid!r}: {len(absent)} candidates have no text in the collection, such as {absent[0]!r}"
            )
        gathered.append(Candidates(qid, queries[qid], tuple(passages[docid] for docid in docids)))
    return gathered


def prompt_order(qid: str, count: int, order: str) -> list[int]:
    """Which candidate (by first-stage rank from 0) stands at each prompt position (R3).

    ``shuffled`` is a permutation that depends on the query id alone.
    """
    if order == "best-first":
        return list(range(count))
    if order == "best-last":
        return list(range(count))[::-1]
    if order == "shuffled":
        return np.random.default_rng(zlib.crc32(qid.encode())).permutation(count).tolist()
    raise InputError(f"candidates.order: unknown order {order!r}; known: best-first, best-last, shuffled")


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
    sources = [source for method in methods for source in method.kernel.sources]
    orders = [prompt_order(c.qid, len(c.documents), order) for c in candidates]

    def prompts() -> Iterator[Prompt]:
        for c, places in zip(candidates, orders, strict=True):
            yield builder.build(c.query, [c.documents[i] for i in places])

    readings = read_prompts(backbone, prompts(), heads, sources, tokens_per_pass)
    each = zip(candidates, orders, readings, strict=True)
    # A single query, as a search stack asks for it, needs no bar.
    alone = len(candidates) == 1
    for c, places, reading in tqdm(each, total=len(candidates), desc="rerank", unit="query", disable=alone):
        yield c, places, reading, heads


def method_scores(reading: Reading, heads: Sequence[Head], method: Method) -> np.ndarray:
    """(documents,) scores of one method by prompt position, from a reading of a superset of its heads."""
    place = {head: i for i, head in enumerate(heads)}
    rows = torch.tensor([place[head] for head in method.heads])
    mass = {
        source: reading.mass[source][rows.to(reading.mass[source].device)] for source in method.kernel.sources
    }
    return document_scores(Reading(reading.prompt, mass), method.kernel).double().cpu().numpy()


def rank_documents(
    c: Candidates, places: Sequence[int], reading: Reading, heads: Sequence[Head], method: Method
) -> list[tuple]:
    """One query's ranking by one method: rows of ``COLUMNS`` in final order.

    Documents without text come last; ties are broken by first-stage rank. ``tokens`` counts what the method needs of
    the prompt, the prefix and the branches that it reads; ``rows`` the query tokens whose attention it reads. Raises
    InputError for a score that is not finite.
    """
    scores = method_scores(reading, heads, method)
    if not np.isfinite(scores).all():
        raise InputError(f"query {c.qid!r}: a score is not finite")
    prompt = reading.prompt
    branches = {branch for branch, _ in method.kernel.sources}
    tokens = len(prompt.prefix) + sum(len(getattr(prompt, branch).ids) for branch in branches)
    spans = [getattr(prompt, branch).rows(span) for branch, span in method.kernel.sources]
    read = sum(stop - start for start, stop in spans)
    # As the prompt has it: a passage may hold a title that the prompt leaves out, or nothing that has a token.
    empty = [start == stop for start, stop in prompt.text]
    best = sorted(range(len(places)), key=lambda p: (empty[p], -scores[p], places[p]))
    return [
        (c.qid, c.documents[places[p]].docid, p + 1, float(scores[p]), rank, empty[p], tokens, read)
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
    rows: dict[str, list[tuple]] = {method.name: [] for method in methods}
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
