"""The deepest layer that is read needs only the keys of all tokens and the queries of the rows that are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class _Rows(nn.Module):
    """A projection of some tokens only, zero for all others."""

    def __init__(self, projection: nn.Module, rows: Sequence[int]) -> None:
        super().__init__()
        self.projection = projection
        self.rows = list(rows)

    def forward(self, hidden: Tensor) -> Tensor:
        rows = torch.tensor(self.rows, dtype=torch.int64, device=hidden.device)
        found = self.projection(hidden.index_select(1, rows))
        everywhere = found.new_zeros(*hidden.shape[:-1], found.shape[-1])
        spread: Tensor = everywhere.index_copy(1, rows, found)
        return spread


class _Nothing(nn.Module):
    """Stands for a projection that is not needed: zeros of its output's shape that take no memory."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden.new_zeros(1).expand(*hidden.shape[:-1], self.width)


@contextmanager
def lean(layer: nn.Module, rows: Sequence[int]) -> Iterator[None]:
    """Let a decoder layer's attention project only the queries of these tokens, and no values.

    rows: places in the packed sequence. The pass has to end within this layer's attention. Attention without separate
    projections is left as it is.
    """
    attention: Any = getattr(layer, "self_attn", None)
    query, value = getattr(attention, "q_proj", None), getattr(attention, "v_proj", None)
    if query is None or value is None or not hasattr(value, "out_features"):
        yield
        return
    attention.q_proj, attention.v_proj = _Rows(query, rows), _Nothing(value.out_features)
    try:
        yield
    finally:
        attention.q_proj, attention.v_proj = query, value
