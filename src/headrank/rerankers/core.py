"""CoRe: contrastively chosen heads; passage text without its label, one token of overrun (arXiv 2510.02219).

The query rows end one token past the query and each document one token past its text, as in the authors' reranker.
"""

from __future__ import annotations

from headrank.heads import HeadSet
from headrank.rerankers.method import Method
from headrank.scoring import Kernel

KERNEL = Kernel("instruction+query+next", "text+next", calibrate=True, outlier_mask=True)


def core(heads: HeadSet) -> Method:
    """CoRe over a detected head set."""
    return Method("core", heads.heads, KERNEL)
