"""HeadRank: decoding-free passage reranking with preference-aligned attention heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrank.api import Document, RankedDocument, Reranker
    from headrank.score_prompt import score_prepared

__version__ = "0.1.0"
__all__ = ["Document", "RankedDocument", "Reranker", "__version__", "score_prepared"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: stages that need no model must not pay for importing torch.
    if name in ("Document", "RankedDocument", "Reranker"):
        from headrank import api

        return getattr(api, name)
    if name == "score_prepared":
        from headrank.score_prompt import score_prepared

        return score_prepared
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
