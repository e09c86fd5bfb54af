"""Seconds of a training epoch in the mini study: this library's loop and the plain peft loop.

make demo; python docs/measurements/training_epochs.py results/mini large > docs/measurements/training_epochs.csv

The lists, heads and pairs are those that the mini study trained HeadRank on. Every loop takes one list per query and
runs two epochs of the same steps over these lists, so that states kept in the first are used in the second. Held-out
lists are left out. One thread, as in the study.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from headrank.bench.training import plain_scores
from headrank.data.collections import open_collection, read_passages
from headrank.engine.backbone import Backbone, load_backbone
from headrank.heads.head_set import HeadSet
from headrank.process.heap import keep_freed_memory
from headrank.prompts.builder import PromptBuilder
from headrank.settings import Settings
from headrank.training.adapter import attach_lora
from headrank.training.epochs import make_plan
from headrank.training.examples import Example, make_examples
from headrank.training.loop import train
from headrank.training.objective import list_loss

ROUNDS = 2
# So little memory that all states go to disk.
NO_ROOM = 1e-9


def main(results: Path, name: str) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    heads = HeadSet.load(results / "heads" / name / "headrank.json")
    settings = study_settings()
    examples = study_examples(results, name, heads, settings)
    everywhere, chosen = (with_modules(settings, modules) for modules in ("qk", "chosen-qk"))
    loops: dict[str, Callable[[], list[float]]] = {
        "train": lambda: ours(results, name, heads, examples, everywhere),
        "plain": lambda: plain(results, name, heads, examples, everywhere),
        "train, chosen layers": lambda: ours(results, name, heads, examples, chosen),
        "train, chosen layers, states on disk": lambda: ours(
            results, name, heads, examples, with_room(chosen, NO_ROOM)
        ),
        "plain, chosen layers": lambda: plain(results, name, heads, examples, chosen),
    }
    print("backbone,tokens,loop,round,epoch,seconds")
    length = round(np.mean([len(e.prompt.prefix) + len(e.prompt.query.ids) for e in examples]))
    for number in range(ROUNDS):
        for loop, run in loops.items():
            for epoch, seconds in enumerate(run(), start=1):
                print(f'{name},{length},"{loop}",{number + 1},{epoch},{seconds:.2f}', flush=True)


def study_settings() -> Settings:
    """The training settings of config/mini.yaml, changed so that an epoch consists of its steps alone."""
    study = yaml.safe_load(Path("config/mini.yaml").read_text(encoding="utf-8"))["headrank"]
    bare = {"epochs": 2, "heldout_share": 0.0, "checkpoint_every": 0, "early_stopping": "none"}
    training = {**study["training"], **bare}
    return Settings.from_mapping({"lists": study["lists"], "pairs": study["pairs"], "training": training})


def with_modules(settings: Settings, modules: str) -> Settings:
    return replace(settings, training=replace(settings.training, modules=modules))  # type: ignore[arg-type]


def with_room(settings: Settings, gib: float) -> Settings:
    return replace(settings, training=replace(settings.training, cache_gib=gib))


def study_examples(results: Path, name: str, heads: HeadSet, settings: Settings) -> list[Example]:
    """The first list of every query."""
    place = results / "pairs" / name / "headrank"
    backbone = load_backbone(results / "backbones" / name, heads.depth, "float32", "cpu")
    training = results / "training"
    every = make_examples(
        pd.read_parquet(results / "lists" / "training.parquet"),
        pd.read_parquet(place / "pairs.parquet"),
        pd.read_parquet(place / "base.parquet"),
        open_collection("training", {"source": "local", "path": str(training)}).queries(),
        read_passages(training / "passages.jsonl"),
        PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding),
    )
    return [e for e in every if e.sample == 0]


def ours(
    results: Path, name: str, heads: HeadSet, examples: list[Example], settings: Settings
) -> list[float]:
    backbone = load_backbone(results / "backbones" / name, heads.depth, "float32", "cpu")
    steps = train(backbone, heads, examples, settings).steps
    return [float(seconds) for seconds in steps.groupby("epoch")["seconds"].sum()]


def plain(
    results: Path, name: str, heads: HeadSet, examples: list[Example], settings: Settings
) -> list[float]:
    """The plain loop: the whole model with eager attention, list by list, the same LoRA, AdamW and clipping."""
    t = settings.training
    backbone: Backbone = load_backbone(results / "backbones" / name, dtype="float32", device="cpu")
    attach_lora(backbone, heads, t).train()
    weights = [p for p in backbone.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=t.learning_rate, weight_decay=t.weight_decay)
    plan, rng = make_plan(examples, settings), np.random.default_rng(0)
    found = []
    for epoch in (1, 2):
        begin = time.perf_counter()
        for places in plan.order(epoch, rng):
            batch = [plan.epochs[epoch - 1][i] for i in places]
            optimiser.zero_grad(set_to_none=True)
            for example in batch:
                loss, _ = list_loss(plain_scores(backbone, heads, example, settings), example, settings)
                (loss / len(batch)).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, t.clip)
            optimiser.step()
        found.append(time.perf_counter() - begin)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
