"""Every method of the table as one class: a model is loaded once and ranks documents for queries."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

from headrank.api.given import Given, read_given
from headrank.api.golden import check_scores
from headrank.api.passes import BEYOND, Beyond, first_read, most_read, plan_of, rank_in_passes
from headrank.api.ranked import RankedDocument
from headrank.api.result import ranked_documents
from headrank.api.windows import Ranking, pass_by_pass
from headrank.data.beir import Document
from headrank.errors import UsageError, shown
from headrank.explain.explainable import check_explainable
from headrank.explain.rank import Explanations, rank_explained
from headrank.methods.ready import Ready, located, make_ready
from headrank.methods.request import Request
from headrank.probability.rank import probability_of, rank_with_probability
from headrank.rerankers.candidates import Candidates

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["best-first", "best-last", "shuffled"]


class Reranker:
    """A reranking method with its model in memory.

    method: a name that ``headrank methods`` lists; not needed with an adapter. backbone: folder, GGUF file or hub id of
    the model; for an adapter by default the one that it names, at the commit that it names. heads: for methods on
    chosen heads, a file from ``headrank heads detect``; for RouteHead, a router's file. adapter: for trained methods,
    the folder that training or ``headrank export`` wrote, or ``ORG/NAME@COMMIT`` of an exported one on the hub. Only
    the layers up to the deepest chosen head are loaded.

    device: "auto", "cpu", "cuda", "cuda:1", ... dtype: "auto" (the checkpoint's own), "float32", "bfloat16" or
    "float16". revision: commit of a model of the hub. family: chat frame, "qwen3" by default, or as in training. order:
    of the documents in the prompt, if they are given best first; by default "best-first", or as in training.
    truncate_words, truncate_tokens: cut documents to this many words, or to this many tokens. depth: how many documents
    one pass reads at most; by default 40, or as in training. probability: a file from ``headrank probability fit``,
    which gives documents their ``relevance_score``; by default ``probability.json`` in the adapter's folder, if it is
    there; False for none.

    ``arguments`` are those that were given, by name, as plain values: ``Reranker(**arguments)`` is the same again.
    Threads may share a reranker; their calls run one after the other.

    Raises InputError for options that do not go together, files that are missing or damaged, heads or an adapter of
    another model, and a probability of another method, model or prompt.
    """

    def __init__(
        self,
        method: str | None = None,
        backbone: str | Path | None = None,
        *,
        heads: str | Path | None = None,
        adapter: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        revision: str | None = None,
        family: str | None = None,
        order: Order | None = None,
        truncate_words: int | None = None,
        truncate_tokens: int | None = None,
        depth: int | None = None,
        probability: str | Path | Literal[False] | None = None,
    ) -> None:
        request = Request(
            method=method,
            adapter=None if adapter is None else str(adapter),
            backbone=None if backbone is None else str(backbone),
            revision=revision,
            heads=None if heads is None else str(heads),
            family=family,
            order=order,
            truncate_words=truncate_words,
            truncate_tokens=truncate_tokens,
        )
        request.check()
        if depth is not None:
            _check_count(depth, "depth", 2)
        found = located(request)
        self.adapter = found.adapter
        self.ready: Ready = make_ready(found, dtype=dtype, device=device)
        self.depth = depth or self.ready.settings.candidates.depth
        self.probability = None if probability is False else probability_of(self.ready, probability)
        given = {**vars(request), "device": device, "dtype": dtype, "depth": depth}
        given["probability"] = str(probability) if isinstance(probability, Path) else probability
        del given["spelt"]
        self.arguments: dict[str, Any] = {k: v for k, v in given.items() if v not in (None, "auto")}
        # A pass changes the model for its duration: it leaves layers out.
        self._one_at_a_time = RLock()

    @classmethod
    def load(
        cls,
        adapter: str | Path,
        backbone: str | Path | None = None,
        *,
        check: bool = False,
        **options: Any,
    ) -> Reranker:
        """The reranker of an adapter; options as for the class.

        adapter: a folder that training or ``headrank export`` wrote, or else an exported one's id on the hub, with its
        commit (``ORG/NAME@COMMIT``) or as it is now (``ORG/NAME``). check: of an exported adapter, compute the scores
        that it was exported with and compare them; RunError if they differ, UsageError with an option by which they
        have to.
        """
        for name in ("depth", "order", "truncate_tokens", "truncate_words") if check else ():
            if options.get(name) is not None:
                raise UsageError(
                    f"check: the scores to compare with are without {name}; leave one of them out"
                )
        reranker = cls(adapter=adapter, backbone=backbone, **options)
        if check:
            check_scores(reranker, reranker.adapter or "")
        return reranker

    @property
    def name(self) -> str:
        """What the method is called; for an adapter, what it was trained as in its study."""
        return self.ready.name

    def __repr__(self) -> str:
        return f"Reranker({self.name!r} on {self.ready.backbone.name!r})"

    def rank(
        self,
        query: str,
        documents: Iterable[str | Document | dict[str, Any]],
        *,
        ids: Iterable[str | int] | None = None,
        top_k: int | None = None,
        beyond: Beyond = "windows",
        progress: bool = True,
        explain: bool = False,
    ) -> list[RankedDocument]:
        """Rank documents for one query, best first; all of them, or the best ``top_k``.

        documents: texts, ``Document``s, or mappings with ``text`` and optionally ``title`` and ``id``. Give them in
        first-stage order: it is the order of the prompt, and it breaks ties. ids: one per document, in place of their
        own. Documents without text come last.

        beyond: what happens if there are more documents than one pass reads (``depth``, or as many as the model has
        positions for). "windows" ranks all in overlapping windows, from the back to the front of the list; n documents
        take about 2 n / depth passes, one after the other. "tournament" ranks them in groups whose best go on to the
        next round; it takes as many passes, and about half as many for a small ``top_k``, in few rounds
        (``headrank.api.windows``). "append" ranks the first ones, and the others follow in their order. progress: show
        a bar on standard error if there is more than one pass. explain: give each document that was read an
        ``explanation``: what each token adds to its score under each head.

        Raises InputError for a query without text, a single text in place of a list, and a document that is none; and
        with ``explain`` for a method that reads no attention, and for a list that takes several passes, whose scores
        cannot be compared.
        """
        given = read_given(query, documents, ids)
        return self._rank([given], top_k, beyond, progress, explain)[0]

    def rank_many(
        self,
        queries: Sequence[str],
        documents: Sequence[Iterable[str | Document | dict[str, Any]]],
        *,
        ids: Sequence[Iterable[str | int]] | None = None,
        top_k: int | None = None,
        beyond: Beyond = "windows",
        progress: bool = True,
        explain: bool = False,
    ) -> list[list[RankedDocument]]:
        """Rank each query's own documents, as ``rank`` does.

        documents and ids have one list per query. Raises InputError as ``rank`` does, with the query's place.
        """
        for name, value in (("queries", queries), ("documents", documents), ("ids", ids)):
            if value is not None and (
                isinstance(value, str | bytes | dict) or not isinstance(value, Sequence)
            ):
                raise UsageError(f"{name}: expected a list with one item per query, got {shown(value)}")
            if value is not None and len(value) != len(queries):
                raise UsageError(f"{name}: {len(value)} for {len(queries)} queries; give one list for each")
        names: Sequence[Any] = [None] * len(queries) if ids is None else ids
        given = [
            read_given(query, listed, named, f"queries[{i}]: ")
            for i, (query, listed, named) in enumerate(zip(queries, documents, names, strict=True))
        ]
        return self._rank(given, top_k, beyond, progress, explain)

    def passes(
        self,
        query: str,
        documents: Iterable[str | Document | dict[str, Any]],
        *,
        name: str = "query",
        top_k: int | None = None,
        most_tokens: int | None = None,
    ) -> Generator[Candidates, pd.DataFrame, list[RankedDocument]]:
        """``rank`` one pass at a time, for a caller that reads several queries in one pass (``headrank.serve``).

        Yields what the next pass has to rank, is sent the rows of the frame that ``rank_lists`` gave for it, and
        returns the ranking. name: the query's id in that frame. most_tokens: cut each document to so many tokens, if
        the method's own cut leaves more of it. Raises InputError as ``rank`` does.
        """
        given = read_given(query, documents)
        if top_k is not None:
            _check_count(top_k, "top_k", 1)
        candidates = Candidates(name, given.query, given.documents, most_tokens)
        ranking: Ranking = []
        if candidates.documents:
            plan = plan_of(candidates, most_read(self.ready, self.depth, candidates))
            ranking = yield from pass_by_pass(candidates, plan)
        return ranked_documents(given, name, ranking)[:top_k]

    def rank_lists(self, candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame:
        """The rankings of lists that fit one pass each: ``ready.rank``, with a column ``probability`` if there is one.

        tokens_per_pass: a pass reads as many lists as fit it.
        """
        with self._one_at_a_time:
            if self.probability is None:
                return self.ready.rank(candidates, tokens_per_pass)
            return rank_with_probability(self.ready, self.probability, candidates, tokens_per_pass)

    def _rank(
        self, given: Sequence[Given], top_k: int | None, beyond: Beyond, progress: bool, explain: bool
    ) -> list[list[RankedDocument]]:
        if top_k is not None:
            _check_count(top_k, "top_k", 1)
        if beyond not in BEYOND:
            raise UsageError(f"beyond: {shown(beyond)} is unknown; known: {', '.join(BEYOND)}")
        if explain:
            check_explainable(self.ready.kind)
        explanations: Explanations = {}

        def rank(asked: Sequence[Candidates]) -> pd.DataFrame:
            if not explain:
                return self.rank_lists(asked)
            frame, found = rank_explained(self.ready, asked)
            explanations.update(found)
            return frame if self.probability is None else self.rank_lists(asked)

        with self._one_at_a_time:
            asked = [
                Candidates(f"queries[{i}]" if len(given) > 1 else "query", g.query, self._read(g, beyond))
                for i, g in enumerate(given)
            ]
            full = [c for c in asked if c.documents]
            rankings = rank_in_passes(
                self.ready,
                self.depth,
                rank,
                full,
                top_k=top_k,
                beyond=beyond,
                progress=progress,
                explain=explain,
            )
        found = dict(zip((c.qid for c in full), rankings, strict=True))
        return [
            ranked_documents(g, c.qid, found.get(c.qid, []), explanations)[:top_k]
            for g, c in zip(given, asked, strict=True)
        ]

    def _read(self, given: Given, beyond: Beyond) -> tuple[Document, ...]:
        """The documents that the model reads."""
        if beyond != "append" or len(given.documents) < 2:
            return given.documents
        asked = Candidates("query", given.query, given.documents)
        return given.documents[: first_read(self.ready, self.depth, asked)]


def _check_count(value: Any, name: str, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{name}: expected a whole number from {least} on, got {shown(value)}")
