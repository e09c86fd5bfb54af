"""How a layer turns the products of its queries and keys into attention weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from headrank.engine.layer_masks import EVERYTHING, LayerMask


@dataclass(frozen=True)
class Softmax:
    """scaling: the products' factor. softcap: products are bent to lie within this bound (Gemma 2), None for no bound.

    sinks: (heads,), one logit per query head that takes part in the softmax but belongs to no key (gpt-oss), or None.
    mask: which keys a row may see.
    """

    scaling: float
    softcap: float | None = None
    sinks: Tensor | None = None
    mask: LayerMask = EVERYTHING

    @property
    def plain(self) -> bool:
        """Whether it is the softmax that PyTorch's own attention computes, apart from the mask."""
        return self.softcap is None and self.sinks is None

    def of_heads(self, heads: Tensor) -> Softmax:
        """The same for some of the query heads."""
        return self if self.sinks is None else replace(self, sinks=self.sinks.index_select(0, heads))

    def bend(self, products: Tensor) -> Tensor:
        """Products of keys and queries that are already scaled, to logits."""
        return products if self.softcap is None else self.softcap * (products / self.softcap).tanh()

    def weights(self, logits: Tensor) -> Tensor:
        """(..., heads, rows, keys) float32 logits, hidden ones -inf or the lowest number, to weights."""
        if self.sinks is None:
            return logits.softmax(dim=-1)
        sinks = self.sinks.float()[:, None, None].expand(*logits.shape[:-1], 1)
        return torch.cat([logits, sinks], dim=-1).softmax(dim=-1)[..., :-1]
