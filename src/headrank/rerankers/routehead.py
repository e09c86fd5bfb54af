"""RouteHead: heads chosen for each query by a router (arXiv 2604.24608).

The pass reads all candidate heads and the query's hidden state; the router picks heads by the state, and a document's
score is the attention that the query pays to it over the picked heads (docs/methods.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from headrank.engine.composition import Composition, compose
from headrank.engine.forward import Reading
from headrank.engine.list_scores import add_heads
from headrank.engine.scoring import Kernel, head_scores
from headrank.heads.head_set import Head
from headrank.heads.routing.router import Router
from headrank.rerankers.method import Method
from headrank.settings import Settings

if TYPE_CHECKING:
    from headrank.data.collections import Document


@dataclass(frozen=True)
class RouteHead(Method):
    """Sum of the routed heads' raw document masses; ``heads`` are the router's candidates."""

    router: Router

    @property
    def states_layer(self) -> int | None:
        return self.router.layer

    def scores(self, reading: Reading, query: str, documents: Sequence[Document]) -> Tensor:
        return add_heads(head_scores(reading, self.kernel)[self._routed(reading)], self.kernel.logarithm)

    def composition(self, reading: Reading, query: str, documents: Sequence[Document]) -> Composition:
        return compose(reading, self.kernel).of_heads(self._routed(reading))

    def chosen(self, reading: Reading) -> tuple[Head, ...]:
        return tuple(
            h for h, routed in zip(self.heads, self._routed(reading).tolist(), strict=True) if routed
        )

    def _routed(self, reading: Reading) -> Tensor:
        return self.router.route(reading.states[self.kernel.sources[0]])


def routehead(router: Router, settings: Settings, name: str = "routehead") -> RouteHead:
    """RouteHead with a trained router."""
    kernel = Kernel(settings.query_span, settings.document_span, calibrate=False, outlier_mask=False)
    return RouteHead(name, router.heads.heads, kernel, router)
