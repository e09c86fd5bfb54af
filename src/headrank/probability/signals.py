"""What says how relevant a passage is whatever else is in its list: the attention that the query pays to it.

A method's scores cannot say it: they are shares of the list, or are compared within it only. The mass itself can: what
a query does not pay to the passages goes to the prompt's first token, the instruction and the query itself, so that
a list with nothing relevant in it gets less of it (docs/scores.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor

from headrank.data.rankings import COLUMNS
from headrank.engine.extract import document_lengths
from headrank.engine.scoring import Kernel, head_scores
from headrank.errors import UsageError
from headrank.rerankers.method import Method
from headrank.rerankers.together import rank_candidates, reading_of, readings_of_candidates

if TYPE_CHECKING:
    from headrank.methods.ready import Ready
    from headrank.prompts.builder import PromptBuilder
    from headrank.rerankers.candidates import Candidates

# One row per candidate, as it stands in its prompt. position: from 0; length: of the passage without its label, in
# tokens; documents: how many the list has; mass: mean over the heads of the logarithm of the attention that the query
# pays to the passage; ratio: that minus the same for the null query.
SIGNALS = ["qid", "docid", "position", "length", "documents", "mass", "ratio"]


def read_lists(
    ready: Ready, candidates: Sequence[Candidates], tokens_per_pass: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rankings by a method and the signals of its heads, from one pass per query.

    Returns a frame of ``headrank.data.rankings.COLUMNS`` and one of ``SIGNALS``. The pass reads the null query too,
    which few methods need for their ranking. Raises UsageError for a method that asks the model about passages.
    """
    builder, method = reading_parts(ready)
    spans = method.kernel.query_span, method.kernel.document_span
    raw = Kernel(*spans, calibrate=False, outlier_mask=False)
    query, null = (
        Method("query", method.heads, raw),
        Method("null", method.heads, replace(raw, branch="null")),
    )
    rows: list[tuple[Any, ...]] = []
    signals: list[tuple[Any, ...]] = []
    for c, places, reading, heads in readings_of_candidates(
        ready.backbone, builder, [method, query, null], candidates, ready.order, tokens_per_pass
    ):
        rows += rank_candidates(c, places, reading, heads, method)
        mass, without = (
            _log_masses(head_scores(reading_of(reading, heads, m), m.kernel), m) for m in (query, null)
        )
        lengths = document_lengths(reading, "text")
        for position, place in enumerate(places):
            docid = c.documents[place].docid
            told = (float(mass[position]), float(mass[position] - without[position]))
            signals.append((c.qid, docid, position, int(lengths[position]), len(places), *told))
    return pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(signals, columns=SIGNALS)


def reading_parts(ready: Ready) -> tuple[PromptBuilder, Method]:
    """What a method reads its prompts with; UsageError for a method that has no signals."""
    if ready.builder is None or ready.method is None:
        raise UsageError(
            f"method {ready.name}: asks the model and reads no attention, to which a probability could be fitted"
        )
    return ready.builder, ready.method


def _log_masses(masses: Tensor, method: Method) -> Tensor:
    """(heads, documents) masses to (documents,): the mean over heads of their logarithms."""
    found: Tensor = (masses + method.kernel.epsilon).log().mean(dim=0)
    return found
