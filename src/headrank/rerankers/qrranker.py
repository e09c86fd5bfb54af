"""QRRanker: QRHead's heads, trained by a group-contrastive loss on their raw mass (arXiv 2602.12192).

One pass, no calibration: a document's score is the sum over heads of the attention that query tokens pay to it, on
average (docs/methods.md). Training is HeadRank's loop with ``heads: qrhead``, ``loss: {form: group-contrastive, score:
mass}`` and no regulariser; the paper trains all weights, this library trains LoRA.
"""

from __future__ import annotations

from headrank.engine.readout import read_out
from headrank.heads.head_set import HeadSet
from headrank.rerankers.method import Method
from headrank.settings import Settings


def qrranker(heads: HeadSet, settings: Settings, name: str = "qrranker") -> Method:
    """QRRanker's scores over a head set."""
    return Method(name, heads.heads, read_out(settings))
