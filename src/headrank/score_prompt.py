"""Scores of a prepared prompt: token ids and spans in, document scores out.

Use it to check this implementation against another one on identical tokens, for instance the authors' own code. No
prompt is built here and no text is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.forward import Reading, read_prompts
from headrank.engine.scoring import Kernel, document_scores, head_scores
from headrank.errors import InputError
from headrank.heads.head_set import Head
from headrank.prompts.builder import Branch, Prompt, Span


@torch.no_grad()
def score_prepared(
    backbone: Backbone | str | Path,
    ids: Sequence[int],
    documents: Sequence[Span],
    query: Span,
    *,
    heads: Sequence[Head] | None = None,
    null_ids: Sequence[int] | None = None,
    null_query: Span | None = None,
    outlier_mask: bool = True,
    per_head: bool = False,
) -> NDArray[np.float64]:
    """Document scores K1 to K5 (docs/methods.md) of one prepared prompt: (documents,), or (heads, documents).

    backbone: a loaded backbone, or a checkpoint's folder or GGUF file (read in float32). ids: the whole prompt's token
    ids. documents: (start, stop) of each document among them, stop exclusive. query: (start, stop) of the rows that are
    averaged (K1); it begins after the last document, or with its last token. heads: (layer, query head) pairs whose
    masses are added (K3), all heads by default. null_ids, null_query: the same for the null query's prompt, whose mass
    is subtracted (K2); without them nothing is subtracted. The documents are at the same positions in both prompts.
    outlier_mask: K4. per_head: scores of each head, masked per head, instead of their sum.

    - ICR: no ``heads``. Rows: the instruction to the prompt's end. Documents: with their labels.
    - QRHead: its heads, everything else as ICR; detection scores with ``per_head=True``.
    - CoRe: its heads. Rows: the instruction to one token past the query. Documents: the text and one token more, which
      after the last document may be the first row and then counts as both. Detection scores: the text alone,
      ``per_head=True``, ``outlier_mask=False`` and no null prompt.

    The pass ends inside the deepest layer of ``heads``. Raises InputError for a span outside the prompt, out of order
    or overlapping the query, and for heads that the model does not have.
    """
    if not isinstance(backbone, Backbone):
        depth = None if heads is None else 1 + max((layer for layer, _ in heads), default=0)
        backbone = load_backbone(str(backbone), depth=depth, dtype="float32", device="cpu")
    known = backbone.all_heads()
    chosen = known if heads is None else list(heads)
    for head in chosen:
        if head not in known:
            raise InputError(f"prepared prompt: the backbone in memory has no head {head[0]}-{head[1]}")
    if not chosen:
        raise InputError("prepared prompt: no heads to read")
    if (null_ids is None) != (null_query is None):
        raise InputError("prepared prompt: null_ids and null_query go together")
    prompts = [_prompt("prompt", ids, documents, query)]
    if null_ids is not None and null_query is not None:
        prompts.append(_prompt("null prompt", null_ids, documents, null_query))
    reading = _read(backbone, prompts, chosen)
    kernel = Kernel("query", "text", calibrate=len(prompts) == 2, outlier_mask=outlier_mask)
    scores = head_scores(reading, kernel) if per_head else document_scores(reading, kernel)
    return np.asarray(scores.double().cpu().numpy())


def _prompt(name: str, ids: Sequence[int], documents: Sequence[Span], query: Span) -> Prompt:
    if not documents:
        raise InputError(f"{name}: no documents")
    end = 0
    for start, stop in documents:
        if not end <= start <= stop:
            raise InputError(f"{name}: document span ({start}, {stop}) is out of order or overlaps another")
        # A span with one token of overrun may take that token from the next document's label, but not from its text.
        end = stop
    # The last document's last token may be the first row; the rows after it see all documents.
    if not max(end - 1, documents[-1][0]) <= query[0] < query[1] <= len(ids):
        raise InputError(
            f"{name}: query span {query} does not lie between the documents' end ({end}) and {len(ids)}"
        )
    spans = tuple((start, stop) for start, stop in documents)
    tail = Branch(tuple(ids[end:]), (query[0] - end, query[1] - end))
    return Prompt(tuple(ids[:end]), spans, spans, tail, tail)


def _read(backbone: Backbone, prompts: Sequence[Prompt], heads: Sequence[Head]) -> Reading:
    first = prompts[0]
    if len(prompts) == 1:
        return next(iter(read_prompts(backbone, [first], heads, [("query", "query")])))
    null = prompts[1]
    if null.prefix == first.prefix:
        both = Prompt(first.prefix, first.text, first.labelled, first.query, null.query)
        return next(iter(read_prompts(backbone, [both], heads, [("query", "query"), ("null", "query")])))
    readings = list(read_prompts(backbone, prompts, heads, [("query", "query")]))
    masses = [reading.mass["query", "query"] for reading in readings]
    return Reading(first, {("query", "query"): masses[0], ("null", "query"): masses[1]})
