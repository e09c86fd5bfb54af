"""What HeadRank reads of each head: the kernel that training differentiates and inference ranks by (R4, R11)."""

from __future__ import annotations

from headrank.engine.scoring import Kernel
from headrank.errors import InputError
from headrank.settings import Settings


def read_out(settings: Settings) -> Kernel:
    """Each head's shares of the list, calibrated if the settings say so; raw masses where those are the scores.

    Raises InputError where calibrated shares are asked of raw masses, or calibrated a second time at inference.
    """
    ratio = settings.mass.calibration == "ratio"
    if ratio and settings.loss.score == "mass":
        raise InputError(
            "mass.calibration: ratio is of shares, and loss.score mass ranks by raw masses; set none"
        )
    if ratio and (settings.inference.calibrate or settings.inference.outlier_mask):
        raise InputError(
            "mass.calibration: ratio takes the place of inference.calibrate and outlier_mask; drop them"
        )
    return Kernel(
        settings.query_span,
        settings.document_span,
        calibrate=False,
        outlier_mask=False,
        normalise=settings.loss.score != "mass",
        length_alpha=settings.mass.length_alpha,
        epsilon=settings.mass.epsilon,
        ratio=ratio,
    )
