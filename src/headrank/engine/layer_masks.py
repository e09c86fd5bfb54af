"""What a token may see in a layer, besides causality: the mask function that transformers makes from a configuration.

transformers calls a registered mask function once for each kind of layer (full, sliding, chunked) and passes the result
to the layers of that kind. An ordinary call gets a tensor. A pass over packed prompts gets a ``LayerMask``, which says
for any two positions whether one sees the other, because a token's place in the packed sequence is not its position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import sdpa_mask

from headrank.errors import InputError

_packed: ContextVar[bool] = ContextVar("headrank_packed", default=False)


class Unreadable(InputError):
    """The model's attention does something that the engine does not know, so its rows would be wrong."""


@dataclass(frozen=True)
class LayerMask:
    """function: (batch, head, query position, key position) -> bool, tensors that broadcast; None: all earlier keys.

    reach: no token sees a key that lies this many or more positions before it; None if there is no bound.
    """

    function: Callable[..., Tensor] | None = None
    reach: int | None = None

    def limits(self, positions: int) -> bool:
        """Whether it hides any key from any token in a text of so many positions."""
        return self.reach is not None and positions > self.reach

    def visible(self, query: Tensor, key: Tensor) -> Tensor:
        """(rows, keys) bool for positions (rows,) and (keys,); the caller hides keys that come after a row."""
        if self.function is None:
            return torch.ones(len(query), len(key), dtype=torch.bool, device=key.device)
        first = torch.zeros((), dtype=torch.int64, device=key.device)
        seen = self.function(first, first, query[:, None], key[None, :])
        return seen.expand(len(query), len(key))


EVERYTHING = LayerMask()


def layer_mask(**asked: Any) -> Tensor | LayerMask | None:
    """The mask function that is registered with transformers, with its keyword arguments."""
    if not _packed.get():
        return sdpa_mask(**asked)
    function = asked["mask_function"]
    first, second = (torch.tensor(i, device=asked.get("device")) for i in (0, 1))
    if function(first, first, first, second):
        raise Unreadable("has attention that is not causal")
    if asked.get("use_vmap") or not asked.get("allow_is_causal_skip", True):
        raise Unreadable("has attention masks of its own making")
    return LayerMask(function, asked.get("local_size"))


@contextmanager
def masks_by_position() -> Iterator[None]:
    """Let layers get a ``LayerMask`` within the block, in this thread."""
    before = _packed.set(True)
    try:
        yield
    finally:
        _packed.reset(before)
