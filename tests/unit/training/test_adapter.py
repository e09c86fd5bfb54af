"""Adapters: round trip, damage, wrong bases, wrong depths, and writing whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import builder, checkpoint, passages, tiny_config, write_checkpoint
from transformers import GPTNeoXConfig, Phi3Config

from headrank.engine.backbone import load_backbone
from headrank.engine.lora import Beside
from headrank.errors import InputError, RunError
from headrank.heads.head_set import HeadSet
from headrank.rerankers import headrank, rerank_together
from headrank.rerankers.candidates import Candidates
from headrank.settings import Settings, TrainingSettings, to_mapping
from headrank.training.adapter import attach_lora, check_adapter, save_adapter
from headrank.training.objective import score_list

HEADS = HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 2)), (1.0, 0.5), provenance={"note": "x"})
SETTINGS = Settings()


def trained() -> tuple[Any, Any]:
    """A backbone with an adapter whose weights are far from zero."""
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth)
    torch.manual_seed(1)
    model = attach_lora(backbone, HEADS, TrainingSettings(lora_r=4))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    return backbone, model.eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    backbone, model = trained()
    save_adapter(model, tmp_path / "adapter", backbone, HEADS, to_mapping(SETTINGS))
    return tmp_path / "adapter"


def scores(backbone: Any) -> torch.Tensor:
    with torch.no_grad():
        return score_list(backbone, HEADS, builder().build("red oak", passages(6)), SETTINGS)


def refused(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip(folder: Path):
    backbone, _ = trained()
    loaded = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, adapter=folder)
    torch.testing.assert_close(scores(loaded), scores(backbone), atol=1e-5, rtol=0)
    plain = load_backbone(checkpoint("qwen3"), depth=HEADS.depth)
    assert (scores(loaded) - scores(plain)).abs().max() > 0.01
    assert check_adapter(folder, str(checkpoint("qwen3"))) == HEADS
    # Merged: nothing of the adapter's machinery is left in the way.
    assert not any("lora" in name for name, _ in loaded.model.named_modules())


def test_truncated_scores_equal_full_depth_scores_with_an_adapter(folder: Path):
    cut, whole = (load_backbone(checkpoint("qwen3"), depth=d, adapter=folder) for d in (HEADS.depth, None))
    assert (cut.depth, whole.depth) == (3, 4)
    candidates = [Candidates(f"q{i}", "red oak", tuple(passages(8, seed=i))) for i in range(4)]
    ranked = [
        rerank_together(b, builder(), [headrank(HEADS, SETTINGS)], candidates, "best-first")["headrank"]
        for b in (cut, whole)
    ]
    assert ranked[0]["docid"].tolist() == ranked[1]["docid"].tolist()
    assert (ranked[0]["score"] - ranked[1]["score"]).abs().max() <= 1e-5


def test_the_folder_says_what_it_is(folder: Path):
    description = json.loads((folder / "headrank_config.json").read_text())
    assert (description["schema"], description["n_layers"], description["depth"]) == (1, 4, 3)
    assert description["backbone"] == str(checkpoint("qwen3"))
    assert Settings.from_mapping(description["settings"]) == SETTINGS
    assert sorted(p.name for p in folder.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "headrank_config.json", "heads.json",
    ]  # fmt: skip


def test_saving_replaces_a_folder_and_leaves_nothing_else(folder: Path):
    (folder / "old").write_text("x")
    backbone, model = trained()
    save_adapter(model, folder, backbone, HEADS, {})
    assert not (folder / "old").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["adapter"]


def test_a_save_whose_last_step_fails_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    backbone, model = trained()
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        # The old folder may be moved aside and back; the new one never gets to its place.
        if target == folder and not self.name.endswith(".old"):
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(RunError, match="adapter: not written: No space left"):
        save_adapter(model, folder, backbone, HEADS, {})
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["adapter"]


def test_damaged_weights_are_found_by_their_checksum(folder: Path):
    weights = folder / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # safetensors itself does not notice
    weights.write_bytes(content)
    load_file(weights)
    assert refused(check_adapter, folder, str(checkpoint("qwen3"))).startswith(f"{weights}: damaged")


def test_an_incomplete_folder_is_refused(folder: Path, tmp_path: Path):
    for name in ("adapter_model.safetensors", "headrank_config.json", "heads.json"):
        broken = tmp_path / f"without-{name}"
        shutil.copytree(folder, broken)
        (broken / name).unlink()
        assert str(broken) in refused(check_adapter, broken, str(checkpoint("qwen3")))
    (folder / "headrank_config.json").write_text("{")
    assert "no readable adapter" in refused(check_adapter, folder, str(checkpoint("qwen3")))
    assert "no such adapter" in refused(load_backbone, checkpoint("qwen3"), adapter=folder / "absent")
    (folder / "adapter_config.json").unlink()
    assert str(folder) in refused(load_backbone, checkpoint("qwen3"), adapter=folder)


def test_cut_weights_are_refused_when_loaded(folder: Path):
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    assert refused(load_backbone, checkpoint("qwen3"), adapter=folder).startswith(
        f"{weights}: damaged weights"
    )


def test_another_backbone_is_refused(folder: Path, tmp_path: Path):
    other = write_checkpoint(tmp_path / "other", tiny_config("qwen3", rms_norm_eps=1e-5))
    assert "trained on another backbone" in refused(check_adapter, folder, str(other))
    # The same configuration, other weights: it would load, and rank by noise.
    twin = write_checkpoint(tmp_path / "twin", tiny_config("qwen3"), seed=5)
    assert (twin / "config.json").read_bytes() == (checkpoint("qwen3") / "config.json").read_bytes()
    assert "trained on another backbone" in refused(check_adapter, folder, str(twin))
    message = refused(load_backbone, checkpoint("llama"), adapter=folder)
    assert message.startswith(f"{folder}: the adapter does not fit the model")


@pytest.mark.parametrize("depth", [1, 2])
def test_another_depth_is_refused(folder: Path, depth: int):
    """peft itself loads it and drops the rest, without a word."""
    message = refused(load_backbone, checkpoint("qwen3"), depth=depth, adapter=folder)
    assert message.startswith(f"{folder}: the adapter does not fit the model (no counterpart for ")


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_every_weight_must_be_consumed(folder: Path, change: str):
    path = folder / "adapter_model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[0]
    if change == "missing":
        del weights[name]
    else:
        name = name.replace("layers.0", "layers.9")
        weights[name] = torch.zeros(4, 4)
    save_file(weights, path, {"format": "pt"})
    message = refused(load_backbone, checkpoint("qwen3"), depth=3, adapter=folder)
    assert message == f"{folder}: the adapter does not fit the model (no counterpart for {name})"


def test_models_without_separate_projections_are_refused(tmp_path: Path):
    config = GPTNeoXConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    backbone = load_backbone(write_checkpoint(tmp_path / "neox", config))
    heads = HeadSet("headrank", "neox", 2, 2, ((1, 0),), (1.0,))
    assert "cannot attach LoRA" in refused(attach_lora, backbone, heads, TrainingSettings())


def test_in_16_bits_the_adapter_stays_beside_the_weights(folder: Path):
    """Rounded into bfloat16 weights, a small delta would be gone."""
    plain = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, dtype="bfloat16")
    adapted = load_backbone(checkpoint("qwen3"), depth=HEADS.depth, dtype="bfloat16", adapter=folder)
    projection = adapted.model.get_submodule("model.layers.2.self_attn.q_proj")
    assert isinstance(projection, Beside)
    assert torch.equal(
        projection.base.weight, plain.model.get_parameter("model.layers.2.self_attn.q_proj.weight")
    )
    # Nothing of peft's machinery is left in the way.
    assert not any("lora" in name for name, _ in adapted.model.named_modules())
    live, _ = trained()
    assert (scores(adapted) - scores(plain)).abs().max() > 0.01
    torch.testing.assert_close(scores(adapted), scores(live), atol=0.1, rtol=0)


def test_a_failed_save_leaves_the_old_adapter(folder: Path, monkeypatch: pytest.MonkeyPatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    backbone, model = trained()

    def fail(self: HeadSet, path: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(HeadSet, "save", fail)
    with pytest.raises(RunError, match="adapter: not written: No space left"):
        save_adapter(model, folder, backbone, HEADS, to_mapping(SETTINGS))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_decoder_with_fused_projections_is_refused(tmp_path: Path):
    config = Phi3Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=0,
        sliding_window=None,
    )
    backbone = load_backbone(write_checkpoint(tmp_path / "phi", config))
    heads = HeadSet("headrank", "phi", 3, 4, ((1, 0),), (1.0,))
    assert "cannot attach LoRA (no q_proj in layer 1)" in refused(
        attach_lora, backbone, heads, TrainingSettings()
    )
