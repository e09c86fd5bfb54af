"""ICR: all heads, calibrated by the null query, outliers masked (arXiv 2410.02642), and its ablations.

Selective-ICR is the same over the heads of a band of layers (arXiv 2602.22591).
"""

from __future__ import annotations

from headrank.engine.backbone import Backbone
from headrank.engine.scoring import Kernel
from headrank.heads.head_set import HeadSet
from headrank.rerankers.method import Method

KERNEL = Kernel("instruction+query+suffix", "labelled", calibrate=True, outlier_mask=True)
# The released code's scoring strategies: the default is masked_NA_calibration; the others, in this order, are
# query_last, attention_sorting, NA_only and NA_calibration_no_agg. None of those masks outliers.
STRATEGIES = {
    "icr": KERNEL,
    "icr-query-last": Kernel(KERNEL.query_span, "labelled", calibrate=False, outlier_mask=False),
    "icr-last-token": Kernel("last", "labelled", calibrate=False, outlier_mask=False),
    "icr-null-only": Kernel(
        KERNEL.query_span, "labelled", calibrate=False, outlier_mask=False, branch="null"
    ),
    "icr-last-token-calibrated": Kernel("last", "labelled", calibrate=True, outlier_mask=False),
}


def icr(backbone: Backbone, name: str = "icr") -> Method:
    """ICR over every loaded head, by one of its ``STRATEGIES``."""
    return Method(name, tuple(backbone.all_heads()), STRATEGIES[name])


def selective_icr(heads: HeadSet, name: str = "selective-icr") -> Method:
    """ICR over the heads of a band of layers; the pass ends with the band."""
    return Method(name, heads.heads, KERNEL)
