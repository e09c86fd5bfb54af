"""An adapter's folder has one reader: what is not as training wrote it is refused, with its file's name."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from support import checkpoint, passages, tiny_config, write_checkpoint

from headrank.api import Reranker
from headrank.engine import backbone as loading
from headrank.engine import places
from headrank.engine.backbone import load_backbone
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.settings import Settings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter
from headrank.training.saved_adapter import read_adapter

HEADS = HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 2)), (1.0, 0.5))
DEFAULTS = Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return saved(tmp_path / "adapter")


def saved(target: Path, model: str = "", heads: HeadSet = HEADS, **given: Any) -> Path:
    backbone = load_backbone(model or checkpoint("qwen3"), depth=heads.depth)
    torch.manual_seed(1)
    adapted = attach_lora(backbone, heads, DEFAULTS.training)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    settings = to_mapping(Settings.from_mapping(given.pop("settings", {})))
    save_adapter(adapted, target, backbone, heads, settings, **given)
    return target


def change(path: Path, **changes: Any) -> None:
    given = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({k: v for k, v in given.items() if v is not ...}), encoding="utf-8")


def as_earlier(folder: Path) -> Path:
    """What earlier versions wrote: no digests but that of the weights, no name, no number of heads."""
    gone = ("files", "trained_as", "n_heads", "backbone_revision")
    change(folder / "headrank_config.json", **dict.fromkeys(gone, ...))
    return folder


def refused(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def other_heads(folder: Path) -> None:
    HeadSet("headrank", "tiny", 4, 4, ((2, 0), (1, 3)), (1.0, 0.5)).save(folder / "heads.json")


def rewrite(name: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / name, **changes)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (other_heads, "heads.json"),
        (rewrite("heads.json", provenance={"x": 1}), "heads.json"),
        (rewrite("adapter_config.json", lora_alpha=3200), "adapter_config.json"),
        (rewrite("adapter_config.json", r="a"), "adapter_config.json"),
        (rewrite("adapter_config.json", target_modules="["), "adapter_config.json"),
        (rewrite("adapter_config.json", lora_dropout=0.5), "adapter_config.json"),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "adapter_config.json"),
    ],
)
def test_a_file_that_was_changed_is_refused(damage: Any, name: str, folder: Path) -> None:
    assert read_adapter(folder).heads == HEADS
    damage(folder)
    for call in (read_adapter, Reranker.load):
        assert refused(call, folder).startswith(f"{folder / name}: damaged or changed, its checksum is not")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 99}, "schema 99 is not known; this version reads schema 1"),
        ({"schema": ...}, "no readable adapter description (schema: no count)"),
        ({"schema": True}, "no readable adapter description (schema: no count)"),
        ({"backbone": 3}, "no readable adapter description (backbone: no text)"),
        ({"backbone_fingerprint": ["f"]}, "(backbone_fingerprint: no text)"),
        ({"n_layers": "4"}, "(n_layers: no count)"),
        ({"n_heads": 0}, "(n_heads: no count)"),
        ({"files": {}}, "(files: not adapter_model.safetensors, adapter_config.json, heads.json)"),
        ({"files": 3}, "(files: no digests)"),
        ({"files": ..., "weights_sha256": ...}, "(files: no digests)"),
        ({"settings": [1]}, "expected a mapping"),
        ({"settings": {"loss": {"score": "nope"}}}, "headrank.loss.score: expected one of"),
        ({"trained_as": 1}, "(trained_as: no text)"),
        ({"depth": 2}, "heads.json: other heads than the adapter was trained with"),
        ({"n_layers": 6}, "heads.json: other heads than the adapter was trained with"),
    ],
)
def test_a_description_that_training_did_not_write_is_refused(
    changes: dict[str, Any], message: str, folder: Path
) -> None:
    change(folder / "headrank_config.json", **changes)
    found = refused(read_adapter, folder)
    assert found.startswith(str(folder))
    assert message in found


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            rewrite("adapter_config.json", lora_alpha=3200),
            "lora_alpha is 3200, but the adapter was trained with",
        ),
        (rewrite("adapter_config.json", peft_type="NEW"), "peft_type is 'NEW'"),
        (rewrite("adapter_config.json", target_modules="["), "target_modules is no pattern"),
        (rewrite("adapter_config.json", target_modules="(.*)*x"), "not a pattern that training writes"),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "peft_type is None"),
        (rewrite("heads.json", n_layers=6, heads=[[5, 1]], scores=[1.0]), "heads.json: other heads than"),
    ],
)
def test_a_folder_of_an_earlier_version_is_checked_as_far_as_it_says(
    damage: Any, message: str, folder: Path
) -> None:
    as_earlier(folder)
    adapter = read_adapter(folder)
    assert (adapter.heads, adapter.name, adapter.base.n_heads) == (HEADS, None, 4)
    assert Reranker.load(folder).name == "headrank"
    damage(folder)
    assert message in refused(Reranker.load, folder)


def test_heads_of_a_wider_model_in_a_folder_of_an_earlier_version_are_refused(folder: Path) -> None:
    as_earlier(folder)
    HeadSet("headrank", "other", 4, 6, HEADS.heads, HEADS.scores).save(folder / "heads.json")
    assert "(4 layers of 6 heads, not 4 layers of 4 heads)" in refused(Reranker.load, folder)


def test_heads_of_another_model_in_the_folder_are_refused(folder: Path) -> None:
    """Also where someone has made the digests agree."""
    others = HeadSet("headrank", "other", 4, 4, HEADS.heads, HEADS.scores, fingerprint="0" * 64)
    saved(folder, heads=others)
    assert "heads.json: other heads than the adapter was trained with: of other" in refused(
        read_adapter, folder
    )


@pytest.mark.parametrize(
    ("settings", "method", "kind"),
    [
        ({}, "headrank", "headrank"),
        ({"loss": {"form": "group-contrastive", "score": "mass"}}, "qrhead", "qrranker"),
        ({"encoding": {"documents": "independent"}, "loss": {"form": "pointer"}}, "best-layer", "comprank"),
        ({}, "core", "core-trained"),
        ({}, "qrhead", "qrhead-trained"),
    ],
)
def test_an_adapter_ranks_under_the_name_that_it_was_trained_as(
    settings: dict[str, Any], method: str, kind: str, tmp_path: Path
) -> None:
    heads = HeadSet(method, "tiny", 4, 4, HEADS.heads, HEADS.scores)
    named = saved(tmp_path / "named", heads=heads, settings=settings, name="my-variant")
    loaded = Reranker.load(named)
    assert (loaded.name, loaded.ready.kind) == ("my-variant", kind)
    # Earlier versions did not record the name: the settings say which method it is.
    assert Reranker.load(as_earlier(named)).name == kind


@cache
def twin() -> Path:
    """A model of the same configuration with other weights."""
    return write_checkpoint(checkpoint("qwen3").parent / "twin", tiny_config("qwen3"), seed=5)


def test_a_base_from_the_hub_is_compared_with_what_the_hub_gives_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, asked = [checkpoint("qwen3")], []

    def snapshot(identifier: str, revision: str | None) -> Path:
        asked.append((identifier, revision))
        return given[0]

    monkeypatch.setattr(places, "cached_snapshot", snapshot)
    folder = saved(tmp_path / "adapter", "maker/tiny")
    described = json.loads((folder / "headrank_config.json").read_text())
    assert described["backbone"] == "maker/tiny"
    assert described["backbone_fingerprint"] == loading.identify(str(checkpoint("qwen3"))).fingerprint
    assert [p.index for p in Reranker.load(folder).rank("oak", passages(3))]
    # The same files under another name are the same model.
    Reranker.load(folder, str(checkpoint("qwen3")))
    asked.clear()
    Reranker.load(folder, revision="1" * 40)
    assert set(asked) == {("maker/tiny", "1" * 40)}
    given[0] = twin()
    assert "trained on another backbone than maker/tiny" in refused(Reranker.load, folder)


def test_the_base_is_loaded_at_the_commit_that_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot(identifier: str, revision: str | None) -> Path:
        asked.append((identifier, revision))
        return checkpoint("qwen3")

    monkeypatch.setattr(places, "cached_snapshot", snapshot)
    folder = saved(tmp_path / "adapter", "maker/tiny")
    change(folder / "headrank_config.json", backbone_revision="2" * 40)
    asked.clear()
    Reranker.load(folder)
    assert set(asked) == {("maker/tiny", "2" * 40)}


def test_an_adapter_whose_base_is_not_recorded_says_so(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    as_earlier(folder)
    change(folder / "headrank_config.json", backbone="maker/unrecorded", backbone_fingerprint=None)
    with caplog.at_level(logging.WARNING):
        Reranker.load(folder, str(checkpoint("qwen3")))
    assert caplog.messages == [
        f"{folder}: trained on maker/unrecorded, whose fingerprint is not recorded; make sure that"
        f" {checkpoint('qwen3')} is the same model"
    ]
    # Its shape is recorded.
    short = write_checkpoint(tmp_path / "short", tiny_config("qwen3", layers=3))
    assert "(4 layers of 4 heads, not 3 layers of 4 heads)" in refused(Reranker.load, folder, str(short))


def test_an_adapter_moves_with_its_base(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(checkpoint("qwen3"), tmp_path / "moved")
    assert Reranker.load(folder, str(moved)).ready.backbone.depth == HEADS.depth
