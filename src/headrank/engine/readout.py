"""What HeadRank reads from each head: the kernel that training differentiates and inference ranks by (R4, R8, R11)."""

from __future__ import annotations

from torch import Tensor

from headrank.engine.forward import Reading
from headrank.engine.list_scores import list_scores
from headrank.engine.scoring import Kernel, head_scores
from headrank.errors import UsageError
from headrank.settings import Settings


def read_out(settings: Settings) -> Kernel:
    """Each head's shares of the list, calibrated if the settings say so; raw masses where those are the scores.

    Raises InputError if calibrated shares are requested but the scores are raw masses, or if shares would be calibrated
    a second time at inference.
    """
    ratio = settings.mass.calibration == "ratio"
    if ratio and settings.loss.score == "mass":
        raise UsageError(
            "mass.calibration: ratio applies to shares, but loss.score mass ranks by raw masses; set it to none"
        )
    if ratio and (settings.inference.calibrate or settings.inference.outlier_mask):
        raise UsageError(
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
        logarithm=settings.loss.score == "mean-log",
        ratio=ratio,
    )


def trained_scores(reading: Reading, settings: Settings) -> Tensor:
    """f of R8, (documents,), of what a pass read for ``read_out``; differentiable."""
    return list_scores(head_scores(reading, read_out(settings)), settings.loss.score)
