"""A probability that was fitted on TREC DL 2021 for SmolLM2, on lists of DL 2019 and on lists with nothing relevant.

The model is looked for as ``headrank`` looks for it (HEADRANK_MODELS); HEADRANK_DATA names the folder with ``dl19``.
The files are those that ``docs/measurements/scores/probability.py`` made.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrank import Reranker
from headrank.data.collections import open_collection
from headrank.data.trec import read_qrels, read_run
from headrank.engine.gguf.find import find_gguf
from headrank.probability.judged import strangers
from headrank.rerankers import gather_candidates

pytestmark = pytest.mark.slow

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
MADE = Path(__file__).parents[3] / "docs" / "measurements" / "scores"
DEPTH, QUERIES = 20, 3


def test_a_list_of_real_text_with_nothing_relevant_in_it_gets_low_scores_throughout() -> None:
    folder, model = Path(os.environ.get("HEADRANK_DATA", "data"), "dl19"), find_gguf(MODEL)
    if model is None or not folder.is_dir():
        pytest.skip(f"{MODEL} or {folder} is absent: set HEADRANK_MODELS and HEADRANK_DATA to their folders")
    collection = open_collection("dl19", {"source": "local", "path": str(folder)})
    run = {qid: ranked[:DEPTH] for qid, ranked in sorted(read_run(folder / "run.bm25.trec").items())}
    passages = collection.lookup({docid for ranked in run.values() for docid, _ in ranked})
    own = gather_candidates(collection.queries(), run, passages, DEPTH)
    strange = strangers(own, read_qrels(folder / "qrels.trec"))
    reranker = Reranker(
        "qrhead-ratio",
        model,
        heads=MADE / "smollm2-135m_heads.json",
        family="qwen2.5",
        truncate_words=60,
        probability=MADE / "smollm2-135m_probability.json",
    )

    def best(query: str, documents: object) -> float:
        ranked = reranker.rank(query, documents)  # type: ignore[arg-type]
        scores = [d.relevance_score for d in ranked if d.relevance_score is not None]
        assert len(scores) == len(ranked)
        return max(scores)

    for c, other in zip(own[:QUERIES], strange, strict=False):
        # Of passages of DL 2021's lists, a third were relevant: so much says nothing.
        assert best(other.query, other.documents) < 0.3 < 0.4 < best(c.query, c.documents)
