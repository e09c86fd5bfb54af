"""ICR and its ablations (arXiv 2410.02642), and Selective-ICR, the same over a band of layers (arXiv 2602.22591)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headrank.methods.entry import (
    CUT_BRANCHES,
    ONE_PASS,
    TWO_BRANCHES,
    Criterion,
    Frozen,
    Released,
)
from headrank.prompts.templates import icr_template

if TYPE_CHECKING:
    from headrank.heads.head_set import HeadSet
    from headrank.heads.judged import Judged
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts


def _icr(name: str, parts: Parts) -> Method:
    from headrank.rerankers.icr import icr

    return icr(parts.backbone, name)


def _selective_icr(parts: Parts) -> Method:
    from headrank.rerankers.icr import selective_icr

    return selective_icr(parts.heads["selective-icr"])


def _band(judged: Judged) -> HeadSet:
    from headrank.heads.detection import band_of_layers

    return band_of_layers("selective-icr", judged)


PLACE = 10
ICR = Frozen(
    name="icr",
    title="ICR",
    about="all heads, calibrated, outliers masked (2410.02642)",
    cost=TWO_BRANCHES,
    build=partial(_icr, "icr"),
)
SELECTIVE_ICR = Frozen(
    name="selective-icr",
    title="Selective-ICR",
    about="ICR on a band of layers (2602.22591)",
    cost=CUT_BRANCHES,
    criterion=Criterion("selective-icr", _band),
    head_set="selective-icr",
    build=_selective_icr,
)
METHODS = (
    ICR,
    Frozen(
        name="icr-query-last",
        title="ICR, no calibration",
        about="ICR without calibration",
        cost=ONE_PASS,
        build=partial(_icr, "icr-query-last"),
    ),
    Frozen(
        name="icr-last-token",
        title="ICR, last token",
        about="ICR, last token only, without calibration",
        cost=ONE_PASS,
        build=partial(_icr, "icr-last-token"),
    ),
    Frozen(
        name="icr-null-only",
        title="ICR, null query alone",
        about="ICR's bias alone: the null query's attention",
        cost=ONE_PASS,
        build=partial(_icr, "icr-null-only"),
    ),
    Frozen(
        name="icr-last-token-calibrated",
        title="ICR, last token, calibrated",
        about="ICR, last token only",
        cost=TWO_BRANCHES,
        build=partial(_icr, "icr-last-token-calibrated"),
    ),
    Released.of(ICR, icr_template, "best-last"),
    SELECTIVE_ICR,
    # It is released ICR, prompt included, with fewer layers.
    Released.of(SELECTIVE_ICR, icr_template, "best-last"),
)
