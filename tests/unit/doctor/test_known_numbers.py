"""Checks of numbers: sound models pass them all, and each notices what it is there for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import KINDS, builder, checkpoint, marking_tokenizer, passages, tiny_backbone
from tokenizers import normalizers
from transformers import AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from headrank.doctor import numbers
from headrank.doctor.check import WRONG, Check
from headrank.doctor.numbers import examine_numbers
from headrank.doctor.self_test import self_test
from headrank.doctor.spans import spans_check
from headrank.doctor.world import World, make_world
from headrank.engine import attention, capture, scoring, tiles
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.layer_masks import LayerMask
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.text_encoder import TextEncoder
from headrank.rerankers import method
from headrank.settings import PromptSettings

NAMES = (
    "finite numbers",
    "same scores twice",
    "many = one at a time",
    "read-out = eager",
    "padded = unpadded",
)


def examined(backbone: Backbone, kind: str = "qwen3") -> dict[str, Check]:
    prompts = [builder(kind).build("red oak", passages(n, seed=n)) for n in (3, 5, 4)]
    return {check.name: check for check in examine_numbers(backbone, prompts)}


def failures(checks: dict[str, Check]) -> set[str]:
    assert all(check.status == WRONG for check in checks.values() if check.mark == "failed")
    return {name for name, check in checks.items() if check.mark != "ok"}


@pytest.mark.parametrize("kind", KINDS)
def test_sound_models_pass(kind: str) -> None:
    checks = examined(tiny_backbone(kind), kind)
    assert list(checks) == [*NAMES, "compiled = plain"]
    assert not failures(checks), [check.line() for check in checks.values()]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sound_models_pass_in_16_bits(dtype: str) -> None:
    checks = examined(load_backbone(checkpoint("qwen3"), dtype=dtype))
    assert not failures(checks), [check.line() for check in checks.values()]


def test_attention_that_is_read_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = capture._softmax_rows
    monkeypatch.setattr(capture, "_softmax_rows", lambda *given: rows(*given).roll(1, dims=-1))
    assert "read-out = eager" in failures(examined(tiny_backbone("qwen3")))


def test_numbers_that_change_from_pass_to_pass_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = capture._softmax_rows
    monkeypatch.setattr(capture, "_softmax_rows", lambda *given: rows(*given) * (0.9 + 0.1 * torch.rand(1)))
    assert "same scores twice" in failures(examined(tiny_backbone("qwen3")))


def test_prompts_that_see_each_other_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_text(module: Any, q: Any, k: Any, v: Any, segments: Any, softmax: Any, dropout: float) -> Any:
        return sdpa_attention_forward(module, q, k, v, None, dropout=dropout, scaling=softmax.scaling)[0]

    monkeypatch.setattr(attention, "packed_attention", one_text)
    assert {"many = one at a time", "read-out = eager"} <= failures(examined(tiny_backbone("qwen3")))


def test_a_padding_mask_that_is_dropped_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = AttentionMaskInterface._global_mapping["headrank"]

    def unpadded(*given: Any, **named: Any) -> Any:
        mask = own(*given, **named)
        return mask if isinstance(mask, LayerMask) else None

    monkeypatch.setitem(AttentionMaskInterface._global_mapping, "headrank", unpadded)
    assert "padded = unpadded" in failures(examined(tiny_backbone("qwen3")))


def test_weights_that_are_no_numbers_are_noticed() -> None:
    backbone = load_backbone(checkpoint("qwen3"))
    model: Any = backbone.model
    with torch.no_grad():
        model.model.layers[2].self_attn.v_proj.weight[3] = float("nan")
    checks = examined(backbone)
    assert list(checks) == ["finite numbers"]
    assert failures(checks) == {"finite numbers"}
    assert "layer 2" in checks["finite numbers"].found


def test_attention_beyond_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = capture._softmax_rows
    monkeypatch.setattr(capture, "_softmax_rows", lambda *given: rows(*given) * 3)
    assert "finite numbers" in failures(examined(tiny_backbone("qwen3")))


def test_compiled_attention_that_is_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    if tiles.kernel() is None:
        pytest.skip("nothing is compiled here")
    exact = tiles.causal_attention
    monkeypatch.setattr(tiles, "causal_attention", lambda *given: exact(*given) * 1.001)
    assert "compiled = plain" in failures(examined(tiny_backbone("qwen3")))


def test_a_difference_that_is_no_number_is_noticed() -> None:
    right = [torch.ones(2, 3), torch.ones(2, 3)]
    wrong = [right[0], torch.full((2, 3), float("nan"))]
    assert numbers._within("any", numbers.difference(wrong, right), 1.0).mark == "failed"
    assert numbers._within("any", numbers.difference(wrong[::-1], right), 1.0).mark == "failed"


@pytest.mark.parametrize("scheme", ["prepend", "always", "first"])
def test_spans_of_sound_tokenizers_pass(scheme: str) -> None:
    assert spans_check(tiny_backbone("qwen3").tokenizer, builder()).mark == "ok"
    tokenizer = marking_tokenizer(scheme)
    check = spans_check(tokenizer, PromptBuilder(tokenizer, PromptSettings(family="plain")))
    assert check.mark == "ok", check.line()


def test_a_tokenizer_that_changes_text_is_noticed() -> None:
    tokenizer = load_backbone(checkpoint("qwen3")).tokenizer
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    check = spans_check(tokenizer, PromptBuilder(tokenizer))
    assert (check.mark, check.status) == ("failed", WRONG)
    assert "is read as" in check.found


def test_text_that_becomes_a_control_token_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(self: TextEncoder, texts: list[str]) -> list[tuple[int, ...]]:
        return [tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]

    monkeypatch.setattr(TextEncoder, "encode", encode)
    check = spans_check(tiny_backbone("qwen3").tokenizer, builder())
    assert (check.mark, check.status) == ("failed", WRONG)
    assert "control token" in check.found


def test_passages_under_another_s_label_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = PromptBuilder._label_ids
    monkeypatch.setattr(PromptBuilder, "_label_ids", lambda self, count: own(self, count)[::-1])
    check = spans_check(tiny_backbone("qwen3").tokenizer, builder())
    assert (check.mark, check.status) == ("failed", WRONG)
    assert "no label [1]" in check.found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def test_planted_heads_rank_the_answers_first(world: World) -> None:
    places = [[d.docid for d in c.documents].index(world.answers[c.qid]) for c in world.candidates]
    assert sorted(places) == list(range(12))
    check = self_test(world, "cpu")
    assert (check.mark, check.found) == ("ok", "12 of 12 answers ranked first among 12")


def test_a_ranking_upside_down_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "document_scores", lambda *given: -scoring.document_scores(*given))
    check = self_test(world, "cpu")
    assert (check.mark, check.status) == ("failed", WRONG)
    assert check.found.startswith("0 of 12")


def test_scores_of_the_passage_before_are_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    index = scoring.document_index
    monkeypatch.setattr(scoring, "document_index", lambda spans, *more: index((*spans[1:], spans[0]), *more))
    assert self_test(world, "cpu").status == WRONG


def test_other_heads_than_the_planted_ones_are_noticed(world: World, tmp_path: Path) -> None:
    heads = HeadSet("qrhead", "backbone", 4, 4, ((0, 0), (3, 1)), (1.0, 0.9))
    heads.save(tmp_path / "heads.json")
    assert self_test(replace(world, heads=tmp_path / "heads.json"), "cpu").status == WRONG


def test_weights_that_are_not_the_planted_ones_are_noticed(world: World, tmp_path: Path) -> None:
    copytree(world.backbone, tmp_path / "backbone")
    path = tmp_path / "backbone" / "model.safetensors"
    weights = load_file(path)
    turned = {name: w.roll(1, dims=1).contiguous() for name, w in weights.items() if "k_proj" in name}
    save_file(weights | turned, path, {"format": "pt"})
    assert self_test(replace(world, backbone=tmp_path / "backbone"), "cpu").status == WRONG
