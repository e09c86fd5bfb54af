"""RouteHead: heads chosen for each query by a router (arXiv 2604.24608)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrank.errors import PrerequisiteError
from headrank.methods.entry import CUT_PASS, Frozen

if TYPE_CHECKING:
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts


def _routehead(parts: Parts) -> Method:
    from headrank.rerankers.routehead import routehead

    if parts.router is None:
        raise PrerequisiteError("methods: 'routehead' needs a trained router")
    parts.router.heads.check(parts.backbone.depth, parts.backbone.n_heads, "routehead's router")
    return routehead(parts.router, parts.settings)


PLACE = 50
METHODS = (
    Frozen(
        name="routehead",
        title="RouteHead",
        about="heads chosen per query by a router (2604.24608)",
        cost=CUT_PASS,
        routed=True,
        build=_routehead,
    ),
)
