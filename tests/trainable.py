"""A small world that training can learn: lists whose relevant documents hold one letter many times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from support import builder, checkpoint

from headrank.data.collections import Document
from headrank.data.training_lists import build_lists, by_list
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.extract import collect_features
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import PromptBuilder
from headrank.settings import EncodingSettings, Settings
from headrank.training.examples import Example, make_examples
from headrank.training.loop import train
from headrank.training.pairs import mine_pairs

HEADS = HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 2)), (1.0, 0.5))
QUERIES = {f"q{i:02}": f"which {i}" for i in range(12)}
SETTINGS: dict[str, Any] = {
    "lists": {"size": 6, "per_grade": 2, "per_query_per_epoch": 1},
    "pairs": {"strategy": "adjacent"},
    "training": {
        "epochs": 2,
        "batch_lists": 4,
        "learning_rate": 0.01,
        "lora_r": 4,
        "lora_alpha": 8,
        "heldout_share": 0.25,
        "early_stopping": "none",
    },
}


# What makes HeadRank's loop another method's.
QRRANKER: dict[str, dict[str, Any]] = {
    "loss": {"form": "group-contrastive", "score": "mass"},
    "regulariser": {"form": "none"},
}
COMPRANK: dict[str, dict[str, Any]] = {
    "encoding": {"documents": "independent", "compression": "segment", "keep": 3},
    "loss": {"form": "pointer"},
    "regulariser": {"form": "none"},
}


def make_settings(**changes: dict[str, Any]) -> Settings:
    sections = {name: {**SETTINGS.get(name, {}), **changes.get(name, {})} for name in {*SETTINGS, *changes}}
    return Settings.from_mapping(sections)


@cache
def world() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Document]]:
    """Lists whose relevant documents hold one letter many times; that letter is in no other document."""
    rng = np.random.default_rng(0)

    def text(relevant: bool) -> str:
        return "".join(rng.choice(list("zzy" if relevant else "abcdef"), 8))

    documents = {f"d{i:02}": Document(f"d{i:02}", "", text(i % 3 == 0)) for i in range(36)}
    ids = list(documents)
    qrels = {}
    for qid in QUERIES:
        judged = [
            *rng.choice(ids[::3], 3, replace=False),
            *rng.choice([d for d in ids if d not in ids[::3]], 6, False),
        ]
        qrels[qid] = {str(d): int(d in ids[::3]) for d in judged}
    settings = make_settings()
    lists = build_lists(QUERIES, qrels, {}, documents, settings.lists, samples=2, seed=0)
    backbone = load_backbone(checkpoint("qwen3"))
    prompts = {
        str(i): (QUERIES[group["qid"].iloc[0]], [documents[d] for d in group["docid"]])
        for i, group in by_list(lists).items()
    }
    features = collect_features(backbone, builder(), prompts, "query", "text")
    pairs, base = mine_pairs(features, lists, HEADS, settings.mass, "log-mean", settings.pairs, 0)
    return lists, pairs, base, documents


@cache
def examples(documents: Any = "joint") -> tuple[Example, ...]:
    lists, pairs, base, passages = world()
    return tuple(make_examples(lists, pairs, base, QUERIES, passages, reader(documents)))


def reader(documents: Any) -> PromptBuilder:
    encoding = EncodingSettings(**{**COMPRANK["encoding"], "documents": documents})
    return PromptBuilder(load_backbone(checkpoint("qwen3")).tokenizer, encoding=encoding)


def truncated() -> Backbone:
    return load_backbone(checkpoint("qwen3"), depth=HEADS.depth)


def fit(
    chosen: Sequence[Example] | None = None, **changes: dict[str, Any]
) -> tuple[Backbone, Any, pd.DataFrame]:
    backbone = truncated()
    done = train(backbone, HEADS, chosen or examples(), make_settings(**changes))
    return backbone, done.model, done.curve


def adapter_weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
