"""Causal attention on a CPU by compiled code, tile by tile (``tiles.h``), forward and backward.

PyTorch's SDPA does the same at a third to two thirds of the rate (docs/performance.md). The code is compiled when the
package is installed, for processors with AVX-512 and for those with AVX2. Without a compiler, on other processors and
for other types, SDPA is used. No tensor of size tokens x tokens is made.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# As in products.h: keys of a tile, and the widest head.
TILE, WIDEST = 64, 256
_AVX512 = ("avx512_f", "avx512_bw", "avx512_dq", "avx512_vl")


@cache
def kernel() -> Any:
    """The compiled module that suits this processor, None if there is none."""
    can = torch.cpu.get_capabilities()
    # The module for AVX-512 multiplies bfloat16 too; processors that cannot do so use the other one.
    wide = all(can.get(name) for name in (*_AVX512, "avx512_bf16"))
    if not wide and not (can.get("avx2") and can.get("fma3")):
        return None
    try:
        return import_module(f"headrank.engine.tiles.{'avx512' if wide else 'avx2'}")
    except ImportError:
        return None


def suits(query: Tensor, key: Tensor, value: Tensor, dropout: float) -> bool:
    """Whether tiles can be used for these states, and are the better choice.

    They are used for float32 with or without gradients, and for bfloat16 without gradients on a processor that
    multiplies it and has no matrix tiles (AMX): with AMX, PyTorch's own kernel takes another path, which was not
    measured.
    """
    kinds = {states.dtype for states in (query, key, value)}
    if (
        query.device.type != "cpu"
        or len(query) != 1
        or dropout
        or query.shape[-1] > WIDEST
        or query.shape[-1] != value.shape[-1]
        or len(kinds) != 1
    ):
        return False
    if kinds == {torch.float32}:
        return kernel() is not None
    learning = torch.is_grad_enabled() and any(states.requires_grad for states in (query, key, value))
    return (
        kinds == {torch.bfloat16}
        and not learning
        and query.shape[-1] % 2 == 0
        and getattr(kernel(), "PAIRS", False)
        and not torch.cpu.get_capabilities().get("amx_tile")
    )


def compiled_attention(
    query: Tensor, key: Tensor, value: Tensor, scaling: float, dropout: float = 0.0
) -> Tensor | None:
    """``causal_attention`` if it ``suits`` these states, and otherwise None.

    The only entry point: nothing else of this package is used elsewhere.
    """
    return causal_attention(query, key, value, scaling) if suits(query, key, value, dropout) else None


def causal_attention(query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
    """query (1, H, T, d), key and value (1, H_kv, K, d), K >= T, to (1, T, H, d), of the query's type.

    Row r sees the keys up to K - T + r. Query head j reads key head j // (H / H_kv). Differentiable in float32.
    """
    query, key, value = (states if _cells(states) else states.contiguous() for states in (query, key, value))
    if torch.is_grad_enabled() and any(states.requires_grad for states in (query, key, value)):
        mixed: Tensor = _Attention.apply(query, key, value, scaling)  # type: ignore[no-untyped-call]
        return mixed
    return _forward(query, key, value, scaling, None)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        logsum = query.new_empty(query.shape[1:3])
        mixed = _forward(query, key, value, scaling, logsum)
        ctx.scaling = scaling
        ctx.save_for_backward(query, key, value, mixed, logsum)
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, mixed, logsum = ctx.saved_tensors
        slope = slope.contiguous()
        # The first adapted layer's values need no gradient if nothing below is trained; its queries and keys have an
        # adapter.
        slopes = [
            torch.empty_like(states, memory_format=torch.contiguous_format) if needed else None
            for states, needed in zip((query, key, value), (True, True, ctx.needs_input_grad[2]), strict=True)
        ]
        shape = _shape(query, key, value, mixed, ctx.scaling)
        _shared_out(kernel().backward, shape, (query, key, value, mixed, slope, logsum, *slopes))
        return *slopes, None


def _forward(query: Tensor, key: Tensor, value: Tensor, scaling: float, logsum: Tensor | None) -> Tensor:
    _, heads, rows, width = query.shape
    pairs = query.dtype == torch.bfloat16
    mixed = query.new_empty(1, rows, heads, width)
    shape = _shape(query, key, value, mixed, scaling)
    packed = (key.shape[1], math.ceil(key.shape[2] / TILE) * TILE, math.ceil(width / 16) * 16)
    keys, values = query.new_empty(packed), query.new_empty(packed)
    _shared_out(kernel().pack, shape, (key, value, keys, values), pairs)
    _shared_out(kernel().forward, shape, (query, keys, values, mixed, logsum), pairs)
    return mixed


def _cells(states: Tensor) -> bool:
    """Whether rows are made of whole cells of four bytes."""
    pair = 2 if states.dtype == torch.bfloat16 else 1
    aligned = states.data_ptr() % 4 == 0
    return aligned and states.stride(-1) == 1 and all(step % pair == 0 for step in states.stride()[1:3])


def _shape(query: Tensor, key: Tensor, value: Tensor, mixed: Tensor, scaling: float) -> tuple[float, ...]:
    """``Shape`` of layouts.h."""
    pair = 2 if query.dtype == torch.bfloat16 else 1
    _, heads, rows, width = query.shape
    inputs = [step // pair for states in (query, key, value) for step in states.stride()[1:3]]
    sizes = (heads, heads // key.shape[1], rows, key.shape[2], width, *inputs)
    return *sizes, mixed.stride(2) // pair, mixed.stride(1) // pair, scaling * math.log2(math.e)


def _shared_out(
    run: Callable[..., None], shape: tuple[float, ...], tensors: Sequence[Tensor | None], *others: bool
) -> None:
    """Call a function of the compiled module on as many threads as PyTorch has; a counter hands out its pieces.

    A tensor of None is passed as address 0.
    """
    counter = torch.zeros(1, dtype=torch.int64)

    def work() -> None:
        # Addresses are taken here, so that a thread that outlives an interrupt still holds what it writes to.
        run(shape, *(0 if t is None else t.data_ptr() for t in (*tensors, counter)), *others)

    threads = torch.get_num_threads()
    helpers = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        for helper in helpers:
            helper.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="headrank-tiles")


# A forked process has none of the threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
