"""What a metric is: a kind, such as recall, with its cut-off and the grade from which a document is relevant."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

NAN = float("nan")
Run = Mapping[str, Sequence[tuple[str, float]]]
"""Query -> (docid, score), best first."""
Qrels = Mapping[str, Mapping[str, int]]
"""Query -> docid -> grade."""


@dataclass(frozen=True)
class JudgedList:
    """One query's documents with its judgements.

    docids: best first, at least one. grades: docid -> grade of every judged document, in the list or not. cutoff: how
    many ranks count, None for all. level: the lowest grade that counts as relevant. trec: the value of the kind's
    ``measure``, NaN where it has none.
    """

    docids: Sequence[str]
    grades: Mapping[str, int]
    cutoff: int | None
    level: int = 1
    trec: float = NAN

    @property
    def shown(self) -> int:
        """How many ranks of the list count."""
        return len(self.docids) if self.cutoff is None else min(len(self.docids), self.cutoff)

    @property
    def found(self) -> int:
        """How many relevant documents are anywhere in the list."""
        return sum(self.grades.get(docid, -math.inf) >= self.level for docid in self.docids)

    @property
    def relevant(self) -> int:
        """How many relevant documents the query has."""
        return sum(grade >= self.level for grade in self.grades.values())


def value_of_trec(ranking: JudgedList) -> float:
    """The value from ``pytrec_eval``, unchanged."""
    return ranking.trec


@dataclass(frozen=True)
class Kind:
    """What a file of ``evaluation/metrics/`` exports as ``METRIC``.

    title: as shown in tables, before the cut-off. cutoff: whether ``@K`` follows the name. graded: all grades count as
    they are, so that there is no relevance level. measure: the measure of ``pytrec_eval`` that it is computed from,
    with ``{cutoff}`` in place of the number; empty for none. value: of one ranking; it is not called for a query
    without documents, which counts 0. bounds: for the documents of a list, the expected value in random order and the
    largest value of any order; None if tables show no bounds.
    """

    title: str
    cutoff: Literal["none", "optional", "required"] = "none"
    graded: bool = False
    measure: str = ""
    value: Callable[[JudgedList], float] = value_of_trec
    bounds: Callable[[JudgedList], tuple[float, float]] | None = None

    def spellings(self, name: str) -> list[str]:
        """How the metric may be written, ``K`` for the number."""
        return [name] * (self.cutoff != "required") + [f"{name}@K"] * (self.cutoff != "none")


@dataclass(frozen=True)
class Metric:
    """A metric that can be evaluated. stem: the name of its kind."""

    stem: str
    kind: Kind
    cutoff: int | None = None
    level: int = 1

    @property
    def name(self) -> str:
        """Such as ``ndcg@10``, ``map`` or ``rr(rel=2)@10``: what ``read_metrics`` reads."""
        return self._written(self.stem)

    @property
    def title(self) -> str:
        """Such as ``nDCG@10``, for tables and figures."""
        return self._written(self.kind.title)

    @property
    def measure(self) -> str:
        """The measure of ``pytrec_eval`` that it is computed from, empty for none."""
        return self.kind.measure.format(cutoff=self.cutoff)

    def _written(self, name: str) -> str:
        level = "" if self.level == 1 else f"(rel={self.level})"
        return f"{name}{level}" if self.cutoff is None else f"{name}{level}@{self.cutoff}"
