"""Memory and time of one pass over a very long list (100 passages of 280 words) in the shape of Qwen3-4B.

python docs/measurements/long_list.py > docs/measurements/long_list.csv

A few of its layers are enough, because each layer of a pass takes the same memory beyond its weights.
"""

from __future__ import annotations

import time

import torch

from headrank.bench.contenders import Bench, at_depth
from headrank.bench.memory import peak_memory
from headrank.bench.shapes import random_backbone
from headrank.bench.workload import make_workload, word_tokenizer
from headrank.cost.predict import pass_bytes
from headrank.generative.chat import Chat
from headrank.process.heap import keep_freed_memory
from headrank.settings import Settings

PASSAGES, WORDS, LAYERS = 100, (100, 280), 3


def main() -> None:
    keep_freed_memory()
    backbone = random_backbone("qwen3-4b", word_tokenizer(), layers=LAYERS)
    print("backbone,layers,passages,words,tokens,memory,predicted_memory,seconds")
    for words in WORDS:
        bench = Bench(
            backbone,
            make_workload(backbone.tokenizer, PASSAGES, words),
            Chat(backbone.tokenizer),
            Settings(),
        )
        ours = at_depth(bench, 1.0)[0]
        begin = time.perf_counter()
        with torch.inference_mode():
            memory = peak_memory(ours.run, torch.device("cpu"))[1]
        seconds = time.perf_counter() - begin
        predicted = pass_bytes(bench.shape, bench.tokens)
        print(
            f"qwen3-4b,{LAYERS},{PASSAGES},{words},{bench.tokens},{memory:.0f},{predicted:.0f},{seconds:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
