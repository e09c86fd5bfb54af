"""HeadRank: list-normalised mass of the chosen heads, one truncated pass (R11)."""

from __future__ import annotations

from dataclasses import replace

from headrank.engine.readout import read_out
from headrank.heads.head_set import HeadSet
from headrank.rerankers.method import Method
from headrank.settings import Settings


def headrank(heads: HeadSet, settings: Settings, name: str = "headrank") -> Method:
    """HeadRank over a head set; whether the model under it is trained depends on the backbone that it runs on."""
    kernel = replace(
        read_out(settings),
        calibrate=settings.inference.calibrate,
        outlier_mask=settings.inference.outlier_mask,
        normalise=True,
    )
    return Method(name, heads.heads, kernel)
