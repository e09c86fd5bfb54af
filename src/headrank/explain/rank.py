"""Rankings with an explanation of each passage's score, from the same pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from headrank.data.rankings import COLUMNS
from headrank.engine.composition import Composition
from headrank.engine.forward import Reading
from headrank.explain.explainable import check_explainable
from headrank.explain.explanation import Explanation, Part
from headrank.methods.ready import Ready
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.method import Method
from headrank.rerankers.together import rank_candidates, reading_of, readings_of_candidates

Explanations = dict[tuple[str, str], Explanation]


@torch.no_grad()
def rank_explained(ready: Ready, candidates: Sequence[Candidates]) -> tuple[pd.DataFrame, Explanations]:
    """The rankings of ``ready.rank``, and (query id, document id) -> its explanation.

    Of the attention only the means over the query's tokens are kept, for the method's heads. Raises UsageError for a
    method that reads no attention.
    """
    check_explainable(ready.kind)
    assert ready.method is not None
    assert ready.builder is not None
    method, builder, tokenizer = ready.method, ready.builder, ready.backbone.tokenizer
    rows: list[tuple[Any, ...]] = []
    found: Explanations = {}
    readings = readings_of_candidates(ready.backbone, builder, [method], candidates, ready.order)
    for c, places, reading, heads in readings:
        rows += rank_candidates(c, places, reading, heads, method)
        made = _explanations(c, places, reading_of(reading, heads, method), method, builder, tokenizer)
        found |= {(c.qid, docid): one for docid, one in made.items()}
    return pd.DataFrame(rows, columns=COLUMNS), found


def _explanations(
    c: Candidates,
    places: Sequence[int],
    reading: Reading,
    method: Method,
    builder: PromptBuilder,
    tokenizer: Any,
) -> dict[str, Explanation]:
    documents = [c.documents[i] for i in places]
    parts: Composition = method.composition(reading, c.query, documents)
    scores = method.scores(reading, c.query, documents).tolist()
    chosen = method.chosen(reading)
    heads = method.heads if chosen is None else chosen
    rows = [method.heads.index(head) for head in heads]
    kernel = method.kernel
    null_source = ("null", kernel.query_span)
    mass = {source: values[rows].double().cpu().numpy() for source, values in reading.mass.items()}
    weights, left_out = parts.parts.cpu().numpy(), parts.left_out.cpu().numpy()
    rest = parts.rest.cpu().numpy()
    index = parts.index.cpu().numpy()
    found = {}
    for position, document in enumerate(documents):
        own = np.flatnonzero(index == position)
        read = builder.passage_read(document)
        start, stop = reading.prompt.text[position]
        tokens: list[tuple[Part, int, int, str]] = []
        for place in own.tolist():
            if start <= place < stop:
                span = read.tokens[place - start]
                tokens.append(("text", *span, read.text[slice(*span)]))
            else:
                part: Part = "label" if place < start else "next"
                end = 0 if part == "label" else len(read.text)
                tokens.append((part, end, end, tokenizer.decode([reading.prompt.prefix[place]])))
        null = mass.get(null_source) if kernel.branch == "query" else None
        found[document.docid] = Explanation(
            read.text,
            read.unread,
            position,
            heads,
            tuple(tokens),
            weights[:, own],
            mass[kernel.branch, kernel.query_span][:, own],
            None if null is None else null[:, own],
            left_out[:, own],
            rest[:, position],
            parts.logarithm,
            scores[position],
        )
    return found
