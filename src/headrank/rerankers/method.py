"""A reranking method on the shared engine: what it reads from a forward pass, and how that becomes scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from headrank.engine.composition import Composition, compose
from headrank.engine.forward import Reading, Source
from headrank.engine.scoring import Kernel, document_scores
from headrank.heads.head_set import Head

if TYPE_CHECKING:
    from headrank.data.collections import Document


@dataclass(frozen=True)
class Method:
    """An attention method: which heads it reads (best first) and how it turns their mass into scores.

    Methods that do more than the kernel extend this class and replace ``scores``, and ``composition`` with it.
    """

    name: str
    heads: tuple[Head, ...]
    kernel: Kernel

    @property
    def sources(self) -> tuple[Source, ...]:
        """The token masses that the method reads."""
        return self.kernel.sources

    @property
    def states_layer(self) -> int | None:
        """The layer whose query states the method reads, if any."""
        return None

    def chosen(self, reading: Reading) -> tuple[Head, ...] | None:
        """The heads used for this query, for methods that choose heads by query; None for all others."""
        return None

    def scores(self, reading: Reading, query: str, documents: Sequence[Document]) -> Tensor:
        """(documents,) by prompt position. reading: of the method's own heads, in its order; documents: by position."""
        return document_scores(reading, self.kernel)

    def composition(self, reading: Reading, query: str, documents: Sequence[Document]) -> Composition:
        """What each token adds to ``scores``, under each of the heads that are ``chosen``."""
        return compose(reading, self.kernel)
