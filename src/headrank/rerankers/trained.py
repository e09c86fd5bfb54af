"""How a trained adapter ranks, by the settings of its training."""

from __future__ import annotations

from headrank.heads.head_set import HeadSet
from headrank.rerankers.comprank import comprank
from headrank.rerankers.headrank import headrank
from headrank.rerankers.method import Method
from headrank.rerankers.qrranker import qrranker
from headrank.settings import Settings


def trained(heads: HeadSet, settings: Settings, name: str = "headrank") -> Method:
    """The method that ranks by the scores that its training differentiated."""
    if settings.loss.score == "mass":
        return qrranker(heads, settings, name)
    if settings.encoding.documents == "independent":
        return comprank(heads, settings, name)
    return headrank(heads, settings, name)
