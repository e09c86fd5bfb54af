"""CompRank: passages are read independently and compressed; one layer points at them (arXiv 2606.11700).

Every passage is read as if it were the only one, so the order of the list cannot matter and the work on a passage can
be reused; the query sees one token in ten. The heads of one layer give a pointer distribution: training minimises its
cross entropy, and its values rank the passages. No public source says which layer is used or how its heads are
combined; here it is the layer whose heads rank best before training, and the mean of their shares (docs/methods.md).

The settings are ``heads: best-layer``, ``encoding: {documents: independent, compression: segment}`` and ``loss: {form:
pointer}`` without a regulariser.
"""

from __future__ import annotations

from headrank.engine.readout import read_out
from headrank.heads.head_set import HeadSet
from headrank.rerankers.method import Method
from headrank.settings import Settings


def comprank(heads: HeadSet, settings: Settings, name: str = "comprank") -> Method:
    """CompRank's scores: shares of the list, averaged over a layer's heads, on prompts of independent passages."""
    return Method(name, heads.heads, read_out(settings))
