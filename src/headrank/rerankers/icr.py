"""ICR: all heads, calibrated by the null query, outliers masked (arXiv 2410.02642)."""

from __future__ import annotations

from headrank.backbone import Backbone
from headrank.rerankers.method import Method
from headrank.scoring import Kernel

KERNEL = Kernel("instruction+query+suffix", "labelled", calibrate=True, outlier_mask=True)


def icr(backbone: Backbone) -> Method:
    """ICR over every head in memory."""
    return Method("icr", tuple(backbone.all_heads()), KERNEL)
