"""Every method of the table as one class: a model is loaded once and ranks documents for queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from headrank.api.given import Given, read_given
from headrank.api.ranked import RankedDocument
from headrank.api.windows import Ranking, Windows, rank_in_windows, windows_of
from headrank.data.beir import Document
from headrank.engine.forward import positions_of
from headrank.engine.rotary_lengths import most_positions
from headrank.errors import UsageError, shown
from headrank.explain.explainable import check_explainable
from headrank.explain.rank import Explanations, rank_explained
from headrank.methods.ready import Ready, make_ready
from headrank.methods.request import Request
from headrank.process.progress import whole_job
from headrank.rerankers.candidates import Candidates

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["best-first", "best-last", "shuffled"]
Beyond = Literal["windows", "append"]
_BEYOND = ("windows", "append")


class Reranker:
    """A reranking method with its model in memory.

    method: a name that ``headrank methods`` lists; not needed with an adapter. backbone: folder, GGUF file or hub id of
    the model; for an adapter by default the one that it names, at the commit that it names. heads: for methods on
    chosen heads, a file from ``headrank heads detect``; for RouteHead, a router's file. adapter: for trained methods,
    the folder that training wrote. Only the layers up to the deepest chosen head are loaded.

    device: "auto", "cpu", "cuda", "cuda:1", ... dtype: "auto" (the checkpoint's own), "float32", "bfloat16" or
    "float16". revision: commit of a model of the hub. family: chat frame, "qwen3" by default, or as in training. order:
    of the documents in the prompt, if they are given best first; by default "best-first", or as in training.
    truncate_words, truncate_tokens: cut documents to this many words, or to this many tokens. depth: how many documents
    one pass reads at most; by default 40, or as in training.

    ``arguments`` are those that were given, by name, as plain values: ``Reranker(**arguments)`` is the same again.
    Threads may share a reranker; their calls run one after the other.

    Raises InputError for options that do not go together, files that are missing or damaged, and heads or an adapter of
    another model.
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
        self.ready: Ready = make_ready(request, dtype=dtype, device=device)
        self.depth = depth or self.ready.settings.candidates.depth
        given = {**vars(request), "device": device, "dtype": dtype, "depth": depth}
        del given["spelt"]
        self.arguments: dict[str, Any] = {k: v for k, v in given.items() if v not in (None, "auto")}
        # A pass changes the model for its duration: it leaves layers out.
        self._one_at_a_time = Lock()

    @classmethod
    def load(cls, adapter: str | Path, backbone: str | Path | None = None, **options: Any) -> Reranker:
        """The reranker of a folder that training wrote; options as for the class."""
        return cls(adapter=adapter, backbone=backbone, **options)

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
        positions for): "windows" ranks all in overlapping windows, from the back to the front of the list; "append"
        ranks the first ones, and the others follow in their order. progress: show a bar on standard error if there is
        more than one pass. explain: give each document that was read an ``explanation``: what each token adds to its
        score under each head.

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

    def _rank(
        self, given: Sequence[Given], top_k: int | None, beyond: str, progress: bool, explain: bool
    ) -> list[list[RankedDocument]]:
        if top_k is not None:
            _check_count(top_k, "top_k", 1)
        if beyond not in _BEYOND:
            raise UsageError(f"beyond: {shown(beyond)} is unknown; known: {', '.join(_BEYOND)}")
        if explain:
            check_explainable(self.ready.kind)
        explanations: Explanations = {}
        with self._one_at_a_time:
            asked = [
                Candidates(f"queries[{i}]" if len(given) > 1 else "query", g.query, self._read(g, beyond))
                for i, g in enumerate(given)
            ]
            full = [c for c in asked if c.documents]
            rankings = self._rankings(full, progress, explanations if explain else None)
        found = dict(zip((c.qid for c in full), rankings, strict=True))
        return [
            _ranked(g, c.qid, found.get(c.qid, []), explanations)[:top_k]
            for g, c in zip(given, asked, strict=True)
        ]

    def _read(self, given: Given, beyond: str) -> tuple[Document, ...]:
        """The documents that the model reads."""
        if beyond == "windows" or len(given.documents) < 2:
            return given.documents
        return given.documents[: min(self.depth, self._fitting(given.query, given.documents))]

    def _rankings(
        self, candidates: Sequence[Candidates], progress: bool, explanations: Explanations | None
    ) -> list[Ranking]:
        """The rankings; what explains them goes into ``explanations``, unless it is None."""
        sizes = [len(c.documents) if self.ready.alone else self._window(c) for c in candidates]
        spans = [windows_of(len(c.documents), size) for c, size in zip(candidates, sizes, strict=True)]
        passes = sum(map(len, spans))
        if explanations is not None:
            _check_whole(candidates, spans)

        def rank(asked: Sequence[Candidates]) -> pd.DataFrame:
            if explanations is None:
                return self.ready.rank(asked)
            frame, found = rank_explained(self.ready, asked)
            explanations.update(found)
            return frame

        # A single pass, as a search stack asks for, needs no bar; methods that ask the model show their own.
        quiet = not progress or passes == 1
        whole = whole_job(passes, self.name, "list", disable=quiet)
        with whole if quiet or self.ready.builder else nullcontext():
            return rank_in_windows(rank, candidates, spans)

    def _window(self, candidates: Candidates) -> int:
        """How many of a query's documents one pass reads, whichever they are; at least 2."""
        return max(2, min(self.depth, self._fitting(candidates.query, candidates.documents, longest=True)))

    def _fitting(self, query: str, documents: Sequence[Document], longest: bool = False) -> int:
        """For how many of the documents, the first or the longest ones, the model has positions."""
        if self.ready.alone or self.ready.builder is None:
            return len(documents)
        prompt = self.ready.builder.build(query, documents)
        starts = [start for start, _ in prompt.labelled]
        lengths = [after - start for start, after in pairwise([*starts, prompt.labelled[-1][1]])]
        most = most_positions(self.ready.backbone.model.config)
        room = most - (positions_of(prompt) - sum(lengths))
        tokens = accumulate(sorted(lengths, reverse=True) if longest else lengths)
        return sum(total <= room for total in tokens)


def _ranked(given: Given, qid: str, ranking: Ranking, explanations: Explanations) -> list[RankedDocument]:
    """The ranking of all documents: those that were not read behind the others."""
    read = {place for place, _ in ranking}
    lowest = min((score for _, score in ranking), default=0.0)
    rest = [(i, lowest) for i in range(len(given.documents)) if i not in read]
    found: list[RankedDocument] = []
    for rank, (i, score) in enumerate([*ranking, *rest], start=1):
        falling = min(score, found[-1].score) if found else score
        document = given.documents[i]
        found.append(
            RankedDocument(
                i,
                given.ids[i],
                rank,
                falling,
                document.text,
                document.title,
                reranked=i in read,
                explanation=explanations.get((qid, document.docid)),
            )
        )
    return found


def _check_whole(candidates: Sequence[Candidates], spans: Sequence[Windows]) -> None:
    for c, windows in zip(candidates, spans, strict=True):
        if len(windows) > 1:
            raise UsageError(
                f"explain: {len(c.documents)} documents take {len(windows)} passes, whose scores cannot be compared;"
                f" give at most {windows[0][1] - windows[0][0]}, or set beyond='append'"
            )


def _check_count(value: Any, name: str, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{name}: expected a whole number from {least} on, got {shown(value)}")
