"""Loading to a depth: what is in memory, and that depth changes no score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support import KINDS, builder, checkpoint, passages, tiny_backbone, tiny_prompt

from headrank.engine.backbone import load_backbone, read_config
from headrank.engine.forward import read_prompts
from headrank.heads.head_set import HeadSet
from headrank.rerankers import core, headrank, qrhead
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.together import rerank_together
from headrank.settings import Settings


def test_a_whole_backbone():
    backbone = tiny_backbone("llama")
    assert (backbone.n_layers, backbone.n_heads, backbone.depth) == (4, 6, 4)
    assert backbone.all_heads() == [(layer, head) for layer in range(4) for head in range(6)]
    assert not backbone.model.training
    assert next(backbone.model.parameters()).dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_backbone_holds_its_layers_alone(kind: str):
    backbone = load_backbone(checkpoint(kind), depth=2)
    layers: Any = backbone.decoder.layers
    assert len(layers) == 2
    assert (backbone.n_layers, backbone.depth) == (4, 2)
    assert max(layer for layer, _ in backbone.all_heads()) == 1


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_truncated_scores_equal_full_depth_scores(kind: str):
    heads = HeadSet("headrank", kind, 4, 4, ((1, 0), (0, 3)), (1.0, 1.0))
    methods = [headrank(heads, Settings()), qrhead(heads), core(heads)]
    candidates = [Candidates(f"q{i}", "red oak", tuple(passages(6, seed=i))) for i in range(3)]
    whole, cut = (
        rerank_together(tiny_backbone(kind, depth), builder(kind), methods, candidates, "best-first")
        for depth in (None, 2)
    )
    for method in methods:
        full, truncated = whole[method.name], cut[method.name]
        assert full["docid"].tolist() == truncated["docid"].tolist()
        assert (full["score"] - truncated["score"]).abs().max() <= 1e-5
        assert full["score"].nunique() > 10


@torch.no_grad()
def test_the_deepest_layer_of_a_truncated_model_is_read_like_any_other():
    source = ("query", "query")
    for depth in (1, 2, 3, 4):
        backbone = load_backbone(checkpoint("mistral"), depth=depth)
        (cut,) = read_prompts(backbone, [tiny_prompt("mistral")], [(depth - 1, 5)], [source])
        (full,) = read_prompts(tiny_backbone("mistral"), [tiny_prompt("mistral")], [(depth - 1, 5)], [source])
        torch.testing.assert_close(cut.mass[source], full.mass[source], atol=1e-6, rtol=0)


def test_number_formats():
    assert (
        next(load_backbone(checkpoint("qwen3"), dtype="bfloat16").model.parameters()).dtype == torch.bfloat16
    )
    assert next(load_backbone(checkpoint("qwen3"), dtype="float32").model.parameters()).dtype == torch.float32


def test_a_usable_configuration_is_read(tmp_path: Path):
    for kind in KINDS:
        assert read_config(str(checkpoint(kind))).num_hidden_layers == 4
