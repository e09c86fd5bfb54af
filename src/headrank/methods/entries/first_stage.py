"""BM25, and its candidates in random order and in the best order."""

from __future__ import annotations

from headrank.evaluation.bounds import BEST_ORDER, RANDOM_ORDER
from headrank.methods.entry import Entry

PLACE = 0
FIRST_STAGE = "bm25"
METHODS = (
    Entry(name=FIRST_STAGE, title="BM25", kind="lexical", studies_only=True),
    Entry(name=RANDOM_ORDER, title="its candidates in random order", kind="lexical", studies_only=True),
    Entry(name=BEST_ORDER, title="its candidates in the best order", kind="lexical", studies_only=True),
)
