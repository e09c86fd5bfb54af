"""QRHead: ICR's kernel over retrieval heads found on relevant documents (arXiv 2506.09944)."""

from __future__ import annotations

from headrank.heads.head_set import HeadSet
from headrank.rerankers.icr import KERNEL
from headrank.rerankers.method import Method


def qrhead(heads: HeadSet, name: str = "qrhead") -> Method:
    """QRHead over a detected head set."""
    return Method(name, heads.heads, KERNEL)
