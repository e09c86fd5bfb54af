"""Checkpoints and adapters that cannot be used end in one line that says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from support import byte_tokenizer, checkpoint, passages, tiny_backbone, tiny_config, write_checkpoint
from transformers import AutoModelForCausalLM

from headrank.engine.attention import IMPLEMENTATION
from headrank.engine.backbone import load_backbone, read_config
from headrank.engine.forward import read_prompts
from headrank.engine.supported import check_model
from headrank.errors import InputError
from headrank.prompts.builder import PromptBuilder, TextEncoder


def refused(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def config_folder(folder: Path, name: str, **sizes: Any) -> Path:
    getattr(transformers, name)(**sizes).save_pretrained(folder)
    return folder


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("name", "sizes", "reason"),
    [
        ("T5Config", {}, "model type 't5' is not a decoder"),
        ("ModernBertConfig", SMALL, "model type 'modernbert' is not a decoder"),
        ("ViTConfig", SMALL, "model type 'vit' is not a decoder"),
        ("BertConfig", SMALL, "model type 'bert' has no rotary attention"),
        ("GPT2Config", {}, "model type 'gpt2' has no rotary attention"),
        ("BloomConfig", {}, "model type 'bloom' has no rotary attention"),
        ("StableLmConfig", SMALL, "model type 'stablelm' computes attention in a way of its own"),
        ("FalconConfig", SMALL, "model type 'falcon' computes attention in a way of its own"),
        ("Gemma3Config", {}, "model type 'gemma3' is composed of parts (text_config, vision_config)"),
        ("Lfm2Config", {**SMALL, "layer_types": ["conv"] * 2}, "model type 'lfm2' has layers of conv"),
        ("NemotronConfig", SMALL, "model type 'nemotron' has layers that pass nothing on to their attention"),
        ("DogeConfig", SMALL, "model type 'doge' has attention masks of its own making"),
        ("HrmTextConfig", SMALL, "model type 'hrm_text' is not built of a list of layers"),
        (
            "Gemma3TextConfig",
            {**SMALL, "use_bidirectional_attention": True},
            "has attention that is not causal",
        ),
    ],
)
def test_models_that_the_engine_cannot_read(tmp_path: Path, name: str, sizes: dict[str, Any], reason: str):
    folder = config_folder(tmp_path / "model", name, **sizes)
    assert refused(read_config, str(folder)).startswith(f"{folder}: ")
    assert reason in refused(load_backbone, folder)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        # Attention that is not told what to read.
        (
            "NemotronConfig",
            {"num_key_value_heads": 2, "head_dim": 16},
            "model type 'nemotron' cannot be read",
        ),
        # A mask that depends on the text.
        ("DogeConfig", {}, "model type 'doge' has attention masks of its own making"),
        (
            "Gemma3TextConfig",
            {"use_bidirectional_attention": True},
            "'gemma3_text' has attention that is not causal",
        ),
        ("HrmTextConfig", {}, "model type 'hrm_text' is not built of a list of layers"),
    ],
)
def test_a_pass_shows_what_the_configuration_does_not_say(name: str, changes: dict[str, Any], reason: str):
    """For types that nobody has named yet."""
    config = getattr(transformers, name)(
        **{**SMALL, "vocab_size": len(byte_tokenizer()), "intermediate_size": 32, **changes}
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation=IMPLEMENTATION).float().eval()
    assert reason in refused(check_model, model, "model")


@pytest.mark.parametrize("content", [None, "{", "[]", '{"hidden_size": 4}', '{"model_type": "headless"}'])
def test_a_folder_without_a_usable_configuration(tmp_path: Path, content: str | None):
    folder = tmp_path / "model"
    folder.mkdir()
    if content is not None:
        (folder / "config.json").write_text(content)
    assert refused(load_backbone, folder).startswith(f"{folder}: no usable model configuration")


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path):
    folder = copy("llama", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config.update(
        model_type="own", auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    )
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    refused(load_backbone, folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": "4"},
        {"num_hidden_layers": None},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": 10**9, "layer_types": None},
        {"num_hidden_layers": 10**30},
        {"num_attention_heads": 10**9},
        {"num_attention_heads": 0},
        {"num_attention_heads": "a"},
        {"num_key_value_heads": 0},
        {"head_dim": 0},
        {"hidden_size": [1]},
        {"model_type": ["qwen3"]},
        {"rope_parameters": "x"},
        {"rope_parameters": {"rope_type": "default", "rope_theta": "a"}},
        {"layer_types": [{}] * 4},
        {"rms_norm_eps": "x"},
        {"vocab_size": "a"},
        {"dtype": "nope"},
        {"dtype": [1]},
        {"id2label": 3},
        {"quantization_config": "x"},
        {"quantization_config": [1]},
    ],
)
def test_a_value_of_the_wrong_type_in_the_configuration(tmp_path: Path, changes: dict[str, Any]):
    folder = copy("qwen3", tmp_path)
    edit(folder / "config.json", **changes)
    assert refused(load_backbone, folder).startswith(f"{folder}: ")


@pytest.mark.parametrize("content", ["[]", "null", "3", '"a"', "[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_holds_something_else(tmp_path: Path, name: str, content: str):
    folder = copy("qwen3", tmp_path)
    (folder / name).write_text(content)
    what = "no usable model configuration" if name == "config.json" else "no usable tokenizer"
    assert refused(load_backbone, folder).startswith(f"{folder}: {what}")


@pytest.mark.parametrize(
    ("given", "library"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "gptq", "bits": 4}, "optimum"),
        ({"quant_method": "awq", "bits": 4}, "gptqmodel"),
        ({"quant_method": "nope"}, "transformers does not know"),
    ],
)
def test_a_quantised_checkpoint_whose_library_is_missing(tmp_path: Path, given: dict[str, Any], library: str):
    """Before any weights are read: jobs that link or fetch a model read its configuration only."""
    folder = copy("qwen3", tmp_path)
    edit(folder / "config.json", quantization_config=given)
    message = refused(read_config, str(folder))
    assert message.startswith(f"{folder}: quantised ")
    assert library in message


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def copy(kind: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint(kind), tmp_path / "model"))


@pytest.mark.parametrize("depth", [0, -1, 5])
def test_a_depth_that_the_model_does_not_have(depth: int):
    path = checkpoint("qwen3")
    assert refused(load_backbone, path, depth=depth) == f"{path}: depth {depth} is not within 1..4"


def test_unknown_formats_and_devices():
    path = checkpoint("qwen3")
    assert refused(load_backbone, path, dtype="flaot32").startswith(
        "dtype 'flaot32' is unknown; known: auto, float32"
    )
    assert refused(load_backbone, path, device="gpu").startswith("device 'gpu' cannot be used")
    if not torch.cuda.is_available():
        assert refused(load_backbone, path, device="cuda").startswith("device 'cuda' cannot be used")


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "absent", "pickle"])
def test_damaged_weights(tmp_path: Path, damage: str):
    folder = copy("qwen3", tmp_path)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    if damage == "absent":
        weights.unlink()
    elif damage == "pickle":
        torch.save(load_file(weights), folder / "pytorch_model.bin")
        weights.unlink()
    else:
        weights.write_bytes({"empty": b"", "cut": whole[:-100], "text": b"these are no weights"}[damage])
    assert refused(load_backbone, folder).startswith(f"{folder}: ")


def test_weights_that_are_missing_or_of_another_size(tmp_path: Path):
    folder = copy("qwen3", tmp_path)
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.self_attn.q_proj.weight"
    save_file({k: v for k, v in weights.items() if k != name}, folder / "model.safetensors", {"format": "pt"})
    assert refused(load_backbone, folder) == f"{folder}: the checkpoint lacks 1 weights, such as {name}"
    assert load_backbone(folder, depth=1).depth == 1  # layer 1 is not needed
    save_file({**weights, name: weights[name][:3].clone()}, folder / "model.safetensors", {"format": "pt"})
    assert refused(load_backbone, folder).startswith(f"{folder}: cannot load the checkpoint")


def test_a_folder_without_a_tokenizer(tmp_path: Path):
    folder = copy("qwen3", tmp_path)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    assert refused(load_backbone, folder).startswith(f"{folder}: no usable tokenizer")


def test_a_tokenizer_without_a_fast_backend():
    class Slow:
        backend_tokenizer = None

    assert refused(TextEncoder, Slow()).startswith("the tokenizer has no fast backend")


def test_a_prompt_longer_than_the_model_s_positions(tmp_path: Path):
    folder = write_checkpoint(tmp_path / "short", tiny_config("qwen3", layers=1, max_position_embeddings=260))
    backbone = load_backbone(folder)
    built = PromptBuilder(byte_tokenizer())
    fits, too_long = (built.build("oak", passages(n, words=w)) for n, w in [(2, 2), (20, 8)])
    assert len(list(read_prompts(backbone, [fits], [(0, 0)], [("query", "query")]))) == 1
    message = refused(next, read_prompts(backbone, [too_long], [(0, 0)], [("query", "query")]))
    assert "does not fit the 260 positions of" in message
    assert str(len(too_long.prefix) + max(len(too_long.query.ids), len(too_long.null.ids))) in message


def test_a_query_is_never_cut_by_long_passages():
    """Truncation is in words; a text of one endless word is kept whole, and the positions say whether it fits."""
    backbone = tiny_backbone("qwen3")
    document = passages(1)[0]
    endless = PromptBuilder(byte_tokenizer()).build("oak", [type(document)("d", "", "x" * 5000)])
    message = refused(lambda: list(read_prompts(backbone, [endless], [(0, 0)], [("query", "query")])))
    assert "does not fit the 4096 positions" in message
