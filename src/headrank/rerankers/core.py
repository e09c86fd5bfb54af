"""CoRe: contrastively chosen heads; passage text without its label (arXiv 2510.02219).

In the authors' reranker the query rows end one token past the query and each document one token past its text; the
faithful form keeps that.
"""

from __future__ import annotations

from headrank.engine.scoring import Kernel
from headrank.heads.head_set import HeadSet
from headrank.rerankers.method import Method

KERNEL = Kernel("instruction+query", "text", calibrate=True, outlier_mask=True)
FAITHFUL = Kernel("instruction+query+next", "text+next", calibrate=True, outlier_mask=True)


def core(heads: HeadSet, name: str = "core", faithful: bool = False) -> Method:
    """CoRe over a detected head set."""
    return Method(name, heads.heads, FAITHFUL if faithful else KERNEL)
