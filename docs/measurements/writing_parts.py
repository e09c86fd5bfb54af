"""Where RankGPT's time goes on a processor: reading its window, then generating one token after another.

python docs/measurements/writing_parts.py [BACKBONE] [PASSAGES] > docs/measurements/writing_parts.csv
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import torch
from transformers import DynamicCache

from headrank.bench.shapes import random_backbone
from headrank.bench.workload import make_workload, word_tokenizer
from headrank.process.heap import keep_freed_memory

TOKENS, ROUNDS, FLOATS = 20, 3, 2**28


def main(name: str, passages: int) -> None:
    keep_freed_memory()
    backbone = random_backbone(name, word_tokenizer(), "bfloat16", "cpu")
    model: Any = backbone.model
    prompt = make_workload(backbone.tokenizer, passages, 100).prompt
    ids = torch.tensor([[*prompt.prefix, *prompt.query.ids]])
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    block = torch.ones(FLOATS)
    seconds: dict[str, list[float]] = {"window read": [], "a token written": [], "memory read": []}
    with torch.inference_mode():
        for _ in range(ROUNDS):
            cache = DynamicCache(config=model.config)
            begin = time.perf_counter()
            model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            seconds["window read"].append(time.perf_counter() - begin)
            for _ in range(TOKENS):
                begin = time.perf_counter()
                model(input_ids=ids[:, :1], past_key_values=cache, use_cache=True, logits_to_keep=1)
                seconds["a token written"].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            block.sum()
            seconds["memory read"].append(time.perf_counter() - begin)
    kept = sum(t.numel() * t.element_size() for layer in cache.layers for t in (layer.keys, layer.values))
    read = {"window read": float("nan"), "a token written": weights + kept, "memory read": 4.0 * FLOATS}
    print("backbone,passages,tokens,part,seconds,gigabytes,gigabytes_per_second")
    for part, values in seconds.items():
        middle, size = statistics.median(values), read[part] / 1e9
        print(f"{name},{passages},{ids.shape[1]},{part},{middle:.4f},{size:.3f},{size / middle:.1f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "qwen3-0.6b", int(sys.argv[2]) if len(sys.argv) > 2 else 20)
