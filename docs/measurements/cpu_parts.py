"""Rates of the parts of a Qwen3-0.6B layer on a processor in bfloat16, as PyTorch and as the engine run them.

python docs/measurements/cpu_parts.py [TOKENS] > docs/measurements/cpu_parts.csv
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.qwen3.modeling_qwen3 import Qwen3MLP, Qwen3RMSNorm, apply_rotary_pos_emb

from headrank.bench.shapes import shape_config
from headrank.engine.tiles import causal_attention
from headrank.engine.token_chunks import STEP, Chunked, turning
from headrank.process.heap import keep_freed_memory

ROUNDS = 7


def main(tokens: int) -> None:
    keep_freed_memory()
    config = shape_config("qwen3-0.6b")
    heads, shared, width = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    kind = torch.bfloat16
    hidden = torch.randn(1, tokens, config.hidden_size, dtype=kind)
    q = torch.randn(1, heads, tokens, width, dtype=kind)
    k, v = (torch.randn(1, shared, tokens, width, dtype=kind) for _ in range(2))
    square = torch.randn(4096, 4096, dtype=kind)
    mlp, norm = Qwen3MLP(config).to(kind), Qwen3RMSNorm(config.hidden_size).to(kind)
    angles = [torch.randn(1, tokens, width, dtype=kind) for _ in range(2)]
    turn = turning(apply_rotary_pos_emb, STEP)
    scale = width**-0.5
    attention = 2 * tokens * (tokens + 1) * heads * width
    products = 6 * tokens * config.hidden_size * config.intermediate_size
    parts: dict[str, tuple[float, Callable[[], torch.Tensor]]] = {
        "matrix product 4096": (2 * 4096**3, lambda: square @ square),
        "attention, SDPA": (
            attention,
            lambda: scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=True),
        ),
        "attention, tiles": (attention, lambda: causal_attention(q, k, v, scale)),
        "MLP, whole": (products, lambda: mlp(hidden)),
        "MLP, chunks of tokens": (products, lambda: Chunked(mlp, STEP)(hidden)),
        "MLP, chunks of 682 tokens": (products, lambda: Chunked(mlp, 682)(hidden)),
        "positions, whole": (0, lambda: apply_rotary_pos_emb(q, k, *angles)[0]),
        "positions, chunks of tokens": (0, lambda: turn(q, k, *angles)[0]),
        "norm, whole": (0, lambda: norm(hidden)),
        "norm, chunks of tokens": (0, lambda: Chunked(norm, STEP)(hidden)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    with torch.inference_mode():
        for number in range(ROUNDS + 1):
            for name, (_, run) in parts.items():
                begin = time.perf_counter()
                run()
                # The first round warms up.
                if number:
                    seconds[name].append(time.perf_counter() - begin)
    print("part,tokens,threads,median_seconds,least_seconds,most_seconds,gflops")
    for name, (operations, _) in parts.items():
        median = statistics.median(seconds[name])
        rate = f"{operations / median / 1e9:.0f}" if operations else ""
        low, high = min(seconds[name]), max(seconds[name])
        print(f'"{name}",{tokens},{torch.get_num_threads()},{median:.4f},{low:.4f},{high:.4f},{rate}')


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5751)
