"""A PyTerrier transformer: ``bm25 % 40 >> HeadRank(...)``.

Works on result frames alone and needs no Java.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from headrank.api.reranker import Beyond
from headrank.errors import UsageError, shown
from headrank.integrations.given import loaded, missing

try:
    import pyterrier as pt
except ImportError as error:
    raise missing("PyTerrier", "pyterrier", error) from None


class HeadRank(pt.Transformer):
    """Reranks each query's documents: a result frame with ``query`` and ``text`` in, the same rows ranked anew out.

    reranker: a loaded Reranker, or else the arguments of one by name (``options``). text_field, title_field: columns of
    the documents' texts and titles; titles are left out unless a column is named. top_k: how many documents of a query
    come back, by default all. beyond: see ``Reranker.rank``. verbose: show progress.

    The first stage's order is that of the column ``rank``, or of falling ``score`` where there is no rank, or that of
    the rows. In the output a query's rows stand together, best first, with new columns ``score`` and ``rank``, from 0;
    all other columns stay.
    """

    def __init__(
        self,
        reranker: Any = None,
        *,
        text_field: str = "text",
        title_field: str | None = None,
        top_k: int | None = None,
        beyond: Beyond = "windows",
        verbose: bool = False,
        **options: Any,
    ) -> None:
        self.reranker = loaded(reranker, options)
        self.text_field = text_field
        self.title_field = title_field
        self.top_k = top_k
        self.beyond = beyond
        self.verbose = verbose
        # They are in the reranker now: a copy with other attributes (pt.inspect) does not load it again.
        self.options: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"HeadRank({self.reranker!r})"

    def transform_iter(self, inp: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """Rank records. No records are no error, although a frame of none would have no columns."""
        rows = list(inp)
        ranked: Iterable[dict[str, Any]] = super().transform_iter(rows) if rows else []
        return ranked

    def transform(self, inp: pd.DataFrame) -> pd.DataFrame:
        """Rank a result frame. Raises pt.validate.InputValidationError for columns that are missing.

        Raises InputError for a query without text, a text that is none, and two queries under one qid.
        """
        titles = [self.title_field] if self.title_field else []
        pt.validate.result_frame(inp, extra_columns=["query", self.text_field, *titles], context=self)
        groups = [_first_stage(group) for _, group in inp.groupby("qid", sort=False, dropna=False)]
        queries = [_query(group) for group in groups]
        lists = [self._documents(group) for group in groups]
        rankings = self.reranker.rank_many(
            queries, lists, top_k=self.top_k, beyond=self.beyond, progress=self.verbose
        )
        ranked = [group.iloc[[d.index for d in found]] for group, found in zip(groups, rankings, strict=True)]
        rest = (pd.concat(ranked) if ranked else inp).drop(columns=["score", "rank"], errors="ignore")
        return rest.reset_index(drop=True).assign(
            score=pd.Series([d.score for found in rankings for d in found], dtype="float64"),
            rank=pd.Series([d.rank - 1 for found in rankings for d in found], dtype="int64"),
        )

    def _documents(self, group: pd.DataFrame) -> list[dict[str, Any]]:
        for docno, text in zip(group["docno"], group[self.text_field], strict=True):
            if not isinstance(text, str):
                raise UsageError(
                    f"qid {group['qid'].iloc[0]}, docno {docno}: {self.text_field} is {shown(text)}, expected a text"
                )
        titles = group[self.title_field].fillna("") if self.title_field else [""] * len(group)
        return [{"text": t, "title": title} for t, title in zip(group[self.text_field], titles, strict=True)]


def _first_stage(group: pd.DataFrame) -> pd.DataFrame:
    """One query's rows as the first stage ranked them."""
    if "rank" in group:
        return group.sort_values("rank", kind="stable")
    if "score" in group:
        return group.sort_values("score", ascending=False, kind="stable")
    return group


def _query(group: pd.DataFrame) -> str:
    qid, query = group["qid"].iloc[0], group["query"].iloc[0]
    if not isinstance(query, str):
        raise UsageError(f"qid {qid}: query: expected a text, got {shown(query)}")
    if group["query"].nunique(dropna=False) > 1:
        raise UsageError(
            f"qid {qid}: has several queries, such as {shown(query)}; give each a qid of its own"
        )
    return query
