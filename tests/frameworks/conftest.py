"""Tests inside other libraries: make test-frameworks runs them, in an environment that has all of these libraries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import torch
from support import checkpoint

from headrank import Reranker
from headrank.engine.backbone import load_backbone
from headrank.heads.head_set import HeadSet
from headrank.rerankers import together
from headrank.settings import Settings, TrainingSettings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter

# The libraries' distributions.
PEERS = {"pyterrier", "rerankers", "mteb", "langchain-core", "llama-index-core", "haystack-ai"}
# All or none: with a part of the libraries the tests of the others fail rather than being left out.
HERE = PEERS & {found.name for found in distributions()}
collect_ignore_glob = [] if HERE else ["test_*.py"]
# Read when Haystack is imported: tests of it are not reported to its makers.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"


@pytest.fixture(scope="session")
def backbone() -> Path:
    return checkpoint("qwen3")


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    heads = HeadSet("headrank", "tiny", 4, 4, ((1, 2), (0, 1)), (1.0, 0.5))
    base = load_backbone(backbone, heads.depth)
    torch.manual_seed(3)
    model = attach_lora(base, heads, TrainingSettings(lora_r=4))
    save_adapter(model, folder, base, heads, to_mapping(Settings()))
    return folder


@pytest.fixture(scope="session")
def reranker(backbone: Path) -> Reranker:
    """Reads at most six passages in a pass."""
    return Reranker("icr", backbone, depth=6)


@pytest.fixture
def alike(reranker: Reranker) -> Iterator[Reranker]:
    """The reranker, but whatever it reads has the same score."""
    ready = reranker.ready

    def rank(candidates: Any, tokens_per_pass: int = 0) -> Any:
        frame = (
            ready.rank(candidates, tokens_per_pass).sort_values("position", kind="stable").assign(score=0.5)
        )
        return frame.assign(rank=frame.groupby("qid", sort=False).cumcount())

    reranker.ready = replace(ready, rank=rank)
    yield reranker
    reranker.ready = ready


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch, reranker: Reranker) -> list[str]:
    """The text of every prompt that the model reads from here on, with the query behind its passages."""
    read: list[str] = []
    tokenizer, original = reranker.ready.backbone.tokenizer, together.read_prompts

    def noting(backbone: Any, prompts: Any, *rest: Any, **named: Any) -> Any:
        def noted() -> Iterator[Any]:
            for prompt in prompts:
                read.append(tokenizer.decode([*prompt.prefix, *prompt.query.ids]))
                yield prompt

        return original(backbone, noted(), *rest, **named)

    monkeypatch.setattr(together, "read_prompts", noting)
    return read
