"""Attention by blocks of rows, for layers that have a window, a soft cap or sinks: only the keys in reach are read.

Memory holds only one block's mask at a time, or its logits where PyTorch's own attention cannot compute them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from headrank.engine.softmax import Softmax

# The most rows of a block, and the most bytes of its logits.
ROWS, BYTES = 256, 32 << 20
States = tuple[Tensor, Tensor, Tensor]


def attention_by_rows(
    module: nn.Module,
    states: States,
    softmax: Softmax,
    positions: tuple[Tensor, Tensor],
    dropout: float,
) -> Tensor:
    """Query (B, H, R, d), key and value (B, H_kv, K, d), K >= R, to (B, R, H, d).

    positions: of the rows, (R,), ascending, and of the keys, (K,), int64 on the CPU. Row r sees the keys up to
    K - R + r that the layer's mask shows it. Differentiable.
    """
    query, key, value = states
    rows, keys = query.shape[2], key.shape[2]
    reach = softmax.mask.reach
    outputs = []
    for own in _blocks(query, keys, softmax):
        first, last = 0, keys - rows + own.stop
        if reach is not None:
            in_reach = positions[1][:last] > positions[0][own.start] - reach
            first = int(in_reach.int().argmax())
        steps = torch.arange(own.start, own.stop)[:, None] + (keys - rows)
        seen = (torch.arange(first, last) <= steps).to(key.device)
        if reach is not None:
            seen &= softmax.mask.visible(
                positions[0][own].to(key.device), positions[1][first:last].to(key.device)
            )
        block = (query[:, :, own], key[:, :, first:last], value[:, :, first:last])
        outputs.append(_block(module, block, softmax, seen[None, None], dropout))
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)


def masked_attention(
    module: nn.Module, states: States, softmax: Softmax, visible: Tensor, dropout: float
) -> Tensor:
    """The same where ``visible`` says what each row sees, (B or 1, 1, R, K) bool, instead of the layer's mask."""
    query, key, value = states
    outputs = [
        _block(module, (query[:, :, own], key, value), softmax, visible[:, :, own], dropout)
        for own in _blocks(query, key.shape[2], softmax)
    ]
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)


def _blocks(query: Tensor, keys: int, softmax: Softmax) -> list[slice]:
    rows = query.shape[2]
    size = ROWS
    if not softmax.plain:
        reach = keys if softmax.mask.reach is None else min(keys, softmax.mask.reach + ROWS)
        size = max(1, min(ROWS, BYTES // (4 * len(query) * query.shape[1] * reach)))
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def _block(module: nn.Module, states: States, softmax: Softmax, visible: Tensor, dropout: float) -> Any:
    if softmax.plain:
        return sdpa_attention_forward(module, *states, visible, dropout=dropout, scaling=softmax.scaling)[0]
    if torch.is_grad_enabled() and any(part.requires_grad for part in states):
        # The weights of all blocks would be heads x tokens x tokens: the backward pass computes each block's again.
        return checkpoint(_by_hand, *states, visible, softmax, dropout, use_reentrant=False)
    return _by_hand(*states, visible, softmax, dropout)


def _by_hand(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor, softmax: Softmax, dropout: float
) -> Tensor:
    """Logits and weights in float32, their product with the values in the values' type."""
    batch, heads, rows, width = query.shape
    # The query heads that share a key head are rows of one product, so that no key is copied.
    shared = query.float().reshape(batch, key.shape[1], -1, width) * softmax.scaling
    logits = softmax.bend(shared @ key.float().transpose(2, 3)).view(batch, heads, rows, -1)
    # A padding row sees nothing; its weights must not become NaN, which would spread through its values.
    logits = logits.masked_fill(~visible, torch.finfo(logits.dtype).min)
    weights = nn.functional.dropout(softmax.weights(logits), dropout).to(value.dtype)
    mixed = weights.reshape(batch, key.shape[1], -1, key.shape[2]) @ value
    return mixed.view(batch, heads, rows, -1).transpose(1, 2).contiguous()
