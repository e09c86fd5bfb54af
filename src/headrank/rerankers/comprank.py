"""CompRank: passages read on their own and compressed, one layer points at them (arXiv 2606.11700).

Every passage is read as if it were the only one, so that the list's order cannot matter and the work on a passage can
be kept; the query sees one token of every ten. The heads of one layer give a pointer distribution, whose cross entropy
is trained and whose values rank. Which layer, and how heads are put together, no public source tells: here the layer
whose heads rank best before training, and the mean of their shares (docs/methods.md).

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
