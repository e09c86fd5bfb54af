"""The LM head in float32, so that the logits of a model in 16 bits can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

# Rows of the vocabulary that are converted at a time.
_ROWS = 1 << 14


@contextmanager
def exact_head(model: Any) -> Iterator[None]:
    """Let the model's LM head multiply in float32 within the block.

    In bfloat16 logits near 20 come in steps of 1/8: most of a list's passages would get the same score, and the first
    stage's order would decide between them. The states are those of the model's own type.
    """
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear) or head.weight.dtype == torch.float32:
        yield
        return
    weight, bias = head.weight, head.bias

    def forward(states: Tensor) -> Tensor:
        wide = states.float()
        found = torch.cat([linear(wide, rows.float()) for rows in weight.split(_ROWS)], dim=-1)
        return found if bias is None else found + bias.float()

    # Over the class's method, in this instance alone.
    vars(head)["forward"] = forward
    try:
        yield
    finally:
        del vars(head)["forward"]
