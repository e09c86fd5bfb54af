"""A search model of mteb, for its reranking tasks.

mteb gives a cross-encoder pairs of query and passage, which carry no query ids: a method that reads a list would have
to guess where one list ends, and two queries of the same text would be one. Its protocol for search, which this class
has, gives each query's candidates together.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Literal

import headrank
from headrank.api import Document, Reranker
from headrank.api.reranker import Beyond
from headrank.data.digests import file_digest
from headrank.errors import InputError, UsageError, shown, suggestion
from headrank.integrations.given import loaded, missing
from headrank.process.progress import whole_job
from headrank.prompts.candidate_order import prompt_order
from headrank.training.saved_adapter import VOUCHED

try:
    from mteb.models.model_meta import ModelMeta
except ImportError as error:
    raise missing("mteb", "mteb", error) from None

logger = logging.getLogger(__name__)
_ORDERS = ("auto", "given", "shuffled")
# Queries that are ranked together: their texts are in memory at once.
_BLOCK = 64


class HeadRankSearch:
    """Ranks the candidates that a task gives with each query, all of a query's in one prompt.

    reranker: a loaded Reranker, or else the arguments of one by name (``options``). beyond: see ``Reranker.rank``.
    candidates: their order in the prompt, which also breaks ties: "given", as the task lists them; "shuffled", in an
    order that depends on the query's id alone; "auto" is "given" for retrieval tasks, whose candidates a first stage
    ranked (``convert_to_reranking``), and "shuffled" for tasks that come with candidates: many of those list the
    relevant ones first.
    """

    def __init__(
        self,
        reranker: Any = None,
        *,
        beyond: Beyond = "windows",
        candidates: Literal["auto", "given", "shuffled"] = "auto",
        **options: Any,
    ) -> None:
        if candidates not in _ORDERS:
            raise UsageError(f"candidates: {shown(candidates)} is unknown; {suggestion(candidates, _ORDERS)}")
        self.reranker = loaded(reranker, options)
        self.beyond = beyond
        self.candidates = candidates
        self._corpus: Any = None

    @cached_property
    def mteb_model_meta(self) -> ModelMeta:
        """By name, revision and experiment mteb knows its stored results: whatever changes a result is in them."""
        told = {"beyond": self.beyond, "candidates": self.candidates, "depth": self.reranker.depth}
        model = PurePath(self.reranker.ready.backbone.name).name
        return ModelMeta.create_empty(
            overwrites={
                "name": f"headrank/{self.reranker.name}-{model}",
                "revision": _revision(self.reranker),
                "model_type": ["cross-encoder"],
                "framework": ["PyTorch"],
                "experiment_kwargs": told,
            }
        )

    def index(self, corpus: Any, **_: Any) -> None:
        """Keep the corpus, a dataset with ``id``, ``text`` and optionally ``title``, until it has been searched."""
        if "text" not in corpus.column_names:
            raise UsageError("corpus: has no texts; HeadRank ranks texts only")
        self._corpus = corpus

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        top_k: int,
        encode_kwargs: Mapping[str, Any],
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """The scores of each query's ``top_k`` best candidates: query id -> document id -> score.

        Raises InputError for a task without candidates, and for candidates that the corpus lacks.
        """
        if top_ranked is None:
            raise UsageError(
                f"{task_metadata.name}: gives no candidates, and HeadRank ranks candidates; make some with"
                " task.convert_to_reranking, from the predictions of a first stage"
            )
        if self._corpus is None:
            raise UsageError(f"{task_metadata.name}: index the corpus before it is searched")
        found: dict[str, dict[str, float]] = {qid: {} for qid in queries["id"]}
        asked = self._asked(queries, task_metadata, top_ranked)
        places = {docid: i for i, docid in enumerate(self._corpus["id"])}
        for one in asked:
            one.check(places, task_metadata.name)
        quiet = not encode_kwargs.get("show_progress_bar", True)
        with whole_job(len(asked), self.reranker.name, "query", disable=quiet) as bar:
            for block in (asked[i : i + _BLOCK] for i in range(0, len(asked), _BLOCK)):
                rankings = self.reranker.rank_many(
                    [one.query for one in block],
                    [[_document(self._corpus[places[docid]]) for docid in one.docids] for one in block],
                    ids=[one.docids for one in block],
                    top_k=top_k,
                    beyond=self.beyond,
                    progress=False,
                )
                for one, ranking in zip(block, rankings, strict=True):
                    found[one.qid] = {str(d.id): d.score for d in ranking}
                bar.update(len(block))
        self._corpus = None
        return found

    def _asked(self, queries: Any, task: Any, top_ranked: Mapping[str, Sequence[str]]) -> list[_Asked]:
        shuffled = self.candidates == "shuffled" or (
            self.candidates == "auto" and "Reranking" in str(task.type)
        )
        asked = []
        for row in queries:
            qid = row["id"]
            docids = list(dict.fromkeys(top_ranked.get(qid, ())))
            if not docids:
                logger.warning("%s: query %s has no candidates", task.name, qid)
                continue
            if shuffled:
                docids = [docids[i] for i in prompt_order(qid, len(docids), "shuffled")]
            asked.append(_Asked(qid, _text_of(row), docids))
        return asked


@dataclass(frozen=True)
class _Asked:
    """One query with its candidates, in the order in which they are given to the reranker."""

    qid: str
    query: str
    docids: list[str]

    def check(self, places: Mapping[str, int], task: str) -> None:
        absent = next((docid for docid in self.docids if docid not in places), None)
        if absent is not None:
            raise InputError(f"{task}: query {self.qid}: candidate {absent} is not in the corpus")


def _text_of(row: Mapping[str, Any]) -> str:
    """A query with its instruction behind it, as mteb puts them together."""
    text, instruction = row.get("text"), row.get("instruction")
    if not isinstance(text, str):
        raise UsageError(f"query {row['id']}: expected a text, got {shown(text)}")
    return f"{text} {instruction}" if instruction else text


def _document(row: Mapping[str, Any]) -> Document:
    return Document("", row.get("title") or "", row["text"])


def _revision(reranker: Reranker) -> str:
    """A digest, of 40 digits as a commit's, of all that the results depend on: the model, its heads, the settings."""
    backbone, given = reranker.ready.backbone, reranker.arguments
    told = {
        "headrank": headrank.__version__,
        "method": reranker.name,
        "model": backbone.identity.fingerprint or [backbone.name, backbone.revision],
        "dtype": str(next(backbone.model.parameters()).dtype),
        "heads": file_digest(given["heads"]) if "heads" in given else None,
        "adapter": [file_digest(Path(given["adapter"]) / n) for n in VOUCHED] if "adapter" in given else None,
        **{name: given.get(name) for name in ("order", "family", "truncate_words", "truncate_tokens")},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:40]
