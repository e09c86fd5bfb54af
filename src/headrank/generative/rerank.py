"""The generative references over queries with candidates; what the model answered is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from headrank.data.rankings import COLUMNS, rank_documents
from headrank.engine.backbone import Backbone
from headrank.errors import InputError, UsageError
from headrank.generative.calls import CALL_COLUMNS
from headrank.generative.chat import Chat
from headrank.generative.settings import GenerativeSettings
from headrank.generative.task import Called, Query, Task, hold
from headrank.prompts.passage_length import kept
from headrank.rerankers.candidates import Candidates

log = logging.getLogger(__name__)


def rerank_generative(
    name: str,
    ask: Callable[[Query], Task],
    backbone: Backbone,
    candidates: Sequence[Candidates],
    settings: GenerativeSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A ranking of every query by a method that asks the model, and every call to the model.

    name: for the progress bar. ask: what it asks about a query, such as ``headrank.generative.listwise.rankgpt``.

    Returns a frame of ``headrank.data.rankings.COLUMNS`` (position: first-stage rank; score: as the method gives it,
    for list methods a number that falls with the rank; tokens: of all prompts of the query; rows: 0), and a frame of
    qid, call (from 0), documents, prompt_tokens, new_tokens, answer, complete, well_formed. Passages without text come
    last; ties are broken by first-stage rank. A warning counts answers of no use and queries whose candidates are all
    tied. Raises InputError, naming the query, for a prompt that is too long for the model and for numbers of the model
    that are not finite.
    """
    if backbone.depth < backbone.n_layers:
        raise UsageError(
            f"{backbone.name}: generative methods need the whole model, not {backbone.depth} layers"
        )
    chat = Chat(backbone.tokenizer)
    tasks = []
    for c in candidates:
        if not c.query.strip():
            raise InputError(f"query {c.qid!r} has no text")
        bodies = [" ".join(part for part in (d.title.strip(), d.text.strip()) if part) for d in c.documents]
        cut = [kept(body, settings.words, settings.tokens) for body in bodies]
        passages = tuple(chat.text(f" {text}")[:most][: c.most_tokens] if text else () for text, most in cut)
        question = c.query.strip()
        query = Query(c.qid, question, chat.text(f" {question}"), passages, chat, settings)
        tasks.append((c.qid, ask(query)))
    rows, calls = [], []
    held = hold(backbone, tasks, settings.batch_tokens, name)
    _warn(name, held)
    for c, (scores, called) in zip(candidates, held, strict=True):
        rows += _ranked(c, scores, called)
        for number, one in enumerate(called):
            answer = one.answer
            told = (
                one.documents,
                one.prompt_tokens,
                answer.tokens,
                answer.text,
                one.complete,
                one.well_formed,
            )
            calls.append((c.qid, number, *told))
    return pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(calls, columns=CALL_COLUMNS)


def _warn(name: str, held: Sequence[tuple[Sequence[float], Sequence[Called]]]) -> None:
    """One line if answers were of no use or all of a query's candidates are tied: they are not the model's ranking."""
    answers = [one for _, called in held for one in called]
    useless = sum(not one.usable for one in answers)
    mended = sum(one.usable and not one.complete for one in answers)
    ranked = [np.unique(np.asarray(scores, dtype=np.float32)) for scores, _ in held if len(scores) > 1]
    tied = sum(len(different) == 1 for different in ranked)
    if useless or tied:
        log.warning(
            "%s: of %d answers, %d are of no use (none of what was asked for, or all choices alike) and %d were mended;"
            " of %d queries, %d have all candidates tied and keep the first stage's order",
            *(name, len(answers), useless, mended, len(ranked), tied),
        )


def _ranked(c: Candidates, scores: Sequence[float], called: Sequence[Called]) -> list[tuple[Any, ...]]:
    tokens = sum(one.prompt_tokens for one in called)
    empty = [not (document.title.strip() or document.text.strip()) for document in c.documents]
    docids = [document.docid for document in c.documents]
    return [(c.qid, *row, tokens, 0) for row in rank_documents(docids, scores, empty=empty)]
