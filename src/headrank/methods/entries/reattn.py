"""ReAttn: other methods on re-weighted tokens (arXiv 2602.19969)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from headrank.methods.entries.core import CORE
from headrank.methods.entries.icr import ICR
from headrank.methods.entries.qrhead import QRHEAD
from headrank.methods.entry import Frozen

if TYPE_CHECKING:
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts


def _reattn(base: Frozen, parts: Parts) -> Method:
    from headrank.rerankers.reattn import reattn

    return reattn(base.build(parts), parts.builder, parts.settings.baselines.reattn_entropy)


def _over(base: Frozen, about: str) -> Frozen:
    name, title = f"reattn-{base.name}", f"{base.title} + ReAttn"
    return replace(base, name=name, title=title, about=about, criterion=None, build=partial(_reattn, base))


PLACE = 60
METHODS = (
    _over(ICR, "ICR on re-weighted tokens (2602.19969)"),
    _over(QRHEAD, "QRHead on re-weighted tokens"),
    _over(CORE, "CoRe on re-weighted tokens"),
)
