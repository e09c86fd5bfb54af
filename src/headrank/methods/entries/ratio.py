"""Other methods' heads under HeadRank's calibrated read-out: what the heads add, apart from how they are read (R4)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from headrank.methods.entries.core import CORE
from headrank.methods.entries.icr import ICR
from headrank.methods.entries.qrhead import QRHEAD, QRHEAD_NDCG
from headrank.methods.entry import Frozen

if TYPE_CHECKING:
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts


def _ratio(base: Frozen, parts: Parts) -> Method:
    from headrank.rerankers.ratio import ratio

    heads = parts.heads[base.head_set].heads if base.head_set else parts.backbone.all_heads()
    return ratio(heads, parts.settings, f"{base.name}-ratio")


def _read(base: Frozen, about: str) -> Frozen:
    name, title = f"{base.name}-ratio", f"{base.title}, ratio"
    return replace(base, name=name, title=title, about=about, criterion=None, build=partial(_ratio, base))


PLACE = 70
METHODS = (
    _read(ICR, "all heads, shares over the null query's"),
    _read(QRHEAD, "QRHead's heads, shares over the null query's"),
    _read(QRHEAD_NDCG, "nDCG@10 heads, shares over the null query's"),
    _read(CORE, "CoRe's heads, shares over the null query's"),
)
