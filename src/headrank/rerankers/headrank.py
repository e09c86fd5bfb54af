"""HeadRank: list-normalised mass of the chosen heads, one truncated pass (R11)."""

from __future__ import annotations

from headrank.heads import HeadSet
from headrank.rerankers.method import Method
from headrank.scoring import Kernel
from headrank.settings import Settings


def headrank(heads: HeadSet, settings: Settings, name: str = "headrank") -> Method:
    """HeadRank over a head set; whether the model under it is trained is the backbone's business."""
    kernel = Kernel(
        settings.query_span,
        settings.document_span,
        calibrate=settings.inference.calibrate,
        outlier_mask=settings.inference.outlier_mask,
        normalise=True,
        length_alpha=settings.mass.length_alpha,
        epsilon=settings.mass.epsilon,
        logarithm=settings.loss.score == "mean-log",
    )
    return Method(name, heads.heads, kernel)
