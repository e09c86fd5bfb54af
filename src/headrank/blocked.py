"""Causal attention in bfloat16 on a processor, by blocks of rows: two matrix products and a softmax each.

PyTorch's SDPA does the same in tiles too small for the processor's bfloat16 products and reaches a quarter of their
rate at most; blocks of this size reach half of it and more (docs/performance.md). Nothing of size tokens x tokens is
made.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROWS = 256


def suits(query: Tensor, dropout: float) -> bool:
    """Whether blocks are the better way: bfloat16 without gradients on a processor that multiplies bfloat16.

    With matrix tiles (AMX) PyTorch's own kernel has another path, which was not measured.
    """
    return (
        query.device.type == "cpu"
        and query.dtype == torch.bfloat16
        and not dropout
        and not (torch.is_grad_enabled() and query.requires_grad)
        and torch.cpu._is_avx512_bf16_supported()
        and not torch.cpu._is_amx_tile_supported()
    )


def causal_attention(query: Tensor, key: Tensor, value: Tensor, scaling: float, rows: int = ROWS) -> Tensor:
    """query (1, H, T, d), key and value (1, H_kv, T, d) to (1, T, H, d), as SDPA with ``is_causal`` gives it.

    rows: so many rows of a block, for each of the query heads that share a key head; that is what a block's logits
    take in memory, times the tokens before it. Logits and probabilities have the type of the query.
    """
    _, heads, tokens, width = query.shape
    shared = heads // key.shape[1]
    output = query.new_empty(1, tokens, heads, width)
    later = query.new_full((rows, rows), float("-inf")).triu(1)
    for head in range(key.shape[1]):
        own = slice(head * shared, (head + 1) * shared)
        keys, values = key[0, head].T, value[0, head]
        for start in range(0, tokens, rows):
            stop = min(tokens, start + rows)
            block = (query[0, own, start:stop] * scaling).reshape(-1, width)
            logits = (block @ keys[:, :stop]).view(shared, stop - start, stop)
            # Added, not filled in, which takes three times as long.
            logits[..., start:] += later[: stop - start, : stop - start]
            mixed = logits.softmax(dim=-1).view(-1, stop) @ values[:stop]
            output[0, start:stop, own] = mixed.view(shared, stop - start, width).transpose(0, 1)
    return output
