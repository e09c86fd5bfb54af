"""GGUF files as checkpoints: logits, attention rows and token ids of the checkpoint that they were made from."""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize
from ggufs import float_checkpoint, write_gguf
from support import byte_tokenizer, passages

from headrank.api import Reranker
from headrank.cost.gguf_sizes import gguf_shape
from headrank.cost.model_shapes import known_shape
from headrank.cost.multiply_adds import Shape
from headrank.data.collections import Document
from headrank.data.digests import file_digest
from headrank.engine.backbone import Backbone, load_backbone, read_config
from headrank.engine.fingerprint import fingerprint
from headrank.engine.forward import read_prompts
from headrank.engine.gguf.cache import _as_created, unpacked
from headrank.engine.gguf.header import read_header
from headrank.engine.gguf.origin import ORIGIN, read_origin
from headrank.engine.gguf.unpack import unpack_gguf
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import Candidates, rerank_together, trained
from headrank.settings import TrainingSettings
from headrank.training.adapter import attach_lora, save_adapter

pytestmark = pytest.mark.slow

KINDS = ("llama", "qwen2", "qwen3")
STORED = (Type.F32, Type.F16, Type.Q8_0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADRANK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HEADRANK_MODELS", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("float")
    return {kind: float_checkpoint(folder / kind, kind) for kind in KINDS}


@pytest.fixture
def written(sources: dict[str, Path], tmp_path: Path) -> Path:
    return write_gguf(sources["qwen2"], tmp_path / "tiny.gguf", "qwen2")


@torch.no_grad()
def logits(backbone: Backbone) -> torch.Tensor:
    model: Any = backbone.model
    return model(input_ids=torch.arange(3, 60)[None], use_cache=False).logits[0]


def masses(backbone: Backbone) -> torch.Tensor:
    prompt = PromptBuilder(backbone.tokenizer).build("red oak", passages(4))
    source = ("query", "query")
    (reading,) = read_prompts(backbone, [prompt], backbone.all_heads(), [source])
    return reading.mass[source]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored.name)
def test_logits_and_attention_are_those_of_the_float_checkpoint(
    sources: dict[str, Path], tmp_path: Path, kind: str, stored: Type
):
    file = write_gguf(sources[kind], tmp_path / "tiny.gguf", kind, stored)
    given, read = load_backbone(sources[kind]), load_backbone(file, dtype="float32")
    assert (read.n_layers, read.n_heads) == (given.n_layers, given.n_heads)
    before = logits(given)
    quantise(given, stored)
    torch.testing.assert_close(logits(read), logits(given), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(masses(read), masses(given), atol=1e-5, rtol=0)
    assert torch.equal(logits(given), before) == (stored == Type.F32)


@torch.no_grad()
def quantise(backbone: Backbone, stored: Type) -> None:
    """Round a backbone's weights in place as a file of this type does, and unpacking it."""
    for parameter in backbone.model.parameters():
        kind = stored if parameter.dim() > 1 else Type.F32
        values = dequantize(quantize(parameter.numpy(), kind), kind)
        rounded = torch.from_numpy(values.copy())
        parameter.copy_(rounded if stored == Type.F32 else rounded.bfloat16())


@pytest.mark.parametrize("stored", [Type.F32, Type.Q8_0], ids=lambda stored: stored.name)
def test_weights_stay_as_exact_as_the_file_has_them(sources: dict[str, Path], tmp_path: Path, stored: Type):
    file = write_gguf(sources["llama"], tmp_path / "tiny.gguf", "llama", stored)
    kept = torch.float32 if stored == Type.F32 else torch.bfloat16
    assert next(load_backbone(file).model.parameters()).dtype == kept


def test_a_truncated_backbone_from_a_file(written: Path):
    cut = load_backbone(written, depth=2)
    assert (cut.n_layers, cut.depth, cut.name) == (3, 2, str(written))
    whole = load_backbone(written)
    torch.testing.assert_close(masses(cut), masses(whole)[: cut.n_heads * 2], atol=1e-6, rtol=0)


def test_the_folder_says_where_it_is_from(written: Path, tmp_path: Path):
    told = {"id": "maker/tiny", "revision": "1" * 40}
    unpack_gguf(written, tmp_path / "folder", file_digest(written), told)
    found = read_origin(tmp_path / "folder")
    assert found is not None
    assert found["sha256"] == file_digest(written)
    assert (found["file"], found["id"], found["revision"]) == ("tiny.gguf", "maker/tiny", "1" * 40)
    assert found["quantisation"].keys() == {"F32"}
    assert found["packages"].keys() == {"gguf", "transformers"}
    assert read_origin(tmp_path) is None
    for path in (tmp_path / "folder").iterdir():
        assert path.stat().st_mode & 0o777 == (tmp_path / "folder" / ORIGIN).stat().st_mode & 0o777


def test_a_file_is_dequantised_once(written: Path, cache: Path, caplog: pytest.LogCaptureFixture):
    first = unpacked(written)
    made = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
    assert "dequantising" in caplog.text
    caplog.clear()
    assert unpacked(written.rename(written.with_name("renamed.gguf"))) == first
    assert {path.name: path.stat().st_mtime_ns for path in first.iterdir()} == made
    assert not caplog.text
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    assert first.is_relative_to(cache)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_folder_in_which_a_byte_changed_is_made_again(
    written: Path, cache: Path, caplog: pytest.LogCaptureFixture, name: str
):
    place = unpacked(written) / name
    whole = place.read_bytes()
    middle = len(whole) // 2
    place.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    # Another process would look again.
    _as_created.cache_clear()
    caplog.clear()
    assert unpacked(written) / name == place
    assert "damaged, dequantising" in caplog.text
    assert place.read_bytes() == whole
    assert [path.name for path in place.parent.parent.iterdir()] == [place.parent.name]


def test_two_processes_at_once_make_one_folder(written: Path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        one, other = pool.map(unpacked, [written, written])
    assert one == other
    assert [path.name for path in one.parent.iterdir()] == [one.name]
    assert load_backbone(one).n_layers == 3


def test_an_adapter_knows_its_base_by_the_file(sources: dict[str, Path], written: Path, tmp_path: Path):
    unpack_gguf(written, tmp_path / "folder")
    config = tmp_path / "folder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"transformers_version": "9"}))
    assert fingerprint(str(written)) == fingerprint(str(tmp_path / "folder"))
    other = write_gguf(sources["llama"], tmp_path / "other.gguf", "llama")
    assert fingerprint(str(other)) != fingerprint(str(written))


def test_sizes_are_read_from_the_header(written: Path):
    config = read_config(str(written))
    assert gguf_shape(written) == known_shape(str(written)) == Shape.of(config.to_dict())
    assert read_header(written).architecture == "qwen2"


def test_generation_ends_where_the_file_says_and_at_control_tokens_that_mean_it(written: Path):
    model: Any = load_backbone(written).model
    tokenizer = byte_tokenizer()
    ends = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|im_end|>"])
    assert model.generation_config.eos_token_id == sorted(ends)


def test_the_tokenizer_comes_with_its_template_and_control_tokens(written: Path):
    tokenizer = load_backbone(written).tokenizer
    right = byte_tokenizer()
    assert tokenizer.get_added_vocab() == right.get_added_vocab()
    assert (
        tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False) == "<|im_start|>x"
    )
    text = "<|im_end|> is 12 \r\n words"
    assert tokenizer(text)["input_ids"] == right(text)["input_ids"]


def damaged(kind: str, right: bytes) -> bytes:
    return {
        "text": b"these are no weights",
        "empty": b"",
        "magic alone": b"GGUF",
        "header cut": right[:900],
        "weights cut": right[:-100],
        "version": right[:4] + b"\x09" + right[5:],
        "length": right[:24] + b"\xff" * 8 + right[32:],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("text", "not a GGUF file"),
        ("empty", "not a GGUF file"),
        ("magic alone", "cut off or damaged"),
        ("header cut", "cut off or damaged"),
        ("weights cut", "cut off: "),
        ("version", "GGUF of version 9"),
        ("length", "cut off or damaged"),
    ],
)
def test_damaged_files_end_in_one_line(written: Path, cache: Path, kind: str, reason: str):
    written.write_bytes(damaged(kind, written.read_bytes()))
    told = refused(written, cache)
    assert told.startswith(f"{written}: ")
    assert reason in told


def refused(file: Path | str, cache: Path) -> str:
    """The one line with which loading ends; nothing is left in the cache."""
    with pytest.raises(InputError) as caught:
        load_backbone(file)
    assert "\n" not in str(caught.value)
    assert not list(cache.rglob("*.*"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"general.architecture": "rwkv6"}, "architecture 'rwkv6' are not read"),
        ({"general.architecture": None}, ""),
        ({"tokenizer.ggml.tokens": None}, "holds no tokenizer"),
        ({"tokenizer.ggml.pre": "newest"}, "splits text as 'newest'"),
        ({"tokenizer.ggml.model": "rwkv"}, "its tokenizer cannot be built"),
        ({"tokenizer.ggml.eos_token_id": 9999}, "eos_token_id 9999 is not within its vocabulary"),
        ({"qwen2.rope.scaling.type": "yarn"}, "qwen2.rope.scaling.type (yarn) is not read"),
        ({"qwen2.expert_count": 4}, "qwen2.expert_count (4) is not read"),
        ({"qwen2.block_count": 4}, "lacks 12 weights of qwen2"),
        ({"qwen2.block_count": 2}, "leaves tensors out"),
        ({"split.count": 3}, "one of 3 parts"),
    ],
    ids=str,
)
def test_files_that_would_be_read_wrong_are_refused(
    sources: dict[str, Path], tmp_path: Path, cache: Path, changes: dict[str, Any], reason: str
):
    architecture = changes.pop("general.architecture", "qwen2")
    file = write_gguf(sources["qwen2"], tmp_path / "odd.gguf", "qwen2", **changes)
    if architecture is None:
        content = file.read_bytes()
        file.write_bytes(content.replace(b"general.architecture", b"general.architectura"))
        reason = "does not say what kind of model"
    elif architecture != "qwen2":
        file.write_bytes(file.read_bytes().replace(b"qwen2", architecture.encode()))
    told = refused(file, cache)
    assert told.startswith(f"{file}: ")
    assert reason in told


def test_a_wrong_digest_names_both(written: Path, tmp_path: Path):
    with pytest.raises(InputError, match=f"SHA-256 is {file_digest(written)} and should be {'0' * 64}"):
        unpack_gguf(written, tmp_path / "folder", "0" * 64)
    assert not (tmp_path / "folder").exists()


def test_a_revision_does_not_go_with_a_file(written: Path):
    with pytest.raises(InputError, match="a file has no revision"):
        load_backbone(written, revision="1" * 40)


def test_without_the_package_the_line_says_what_to_install(
    written: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert "pip install gguf" in refused(written, cache)


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_an_adapter_trained_on_a_gguf_file_is_loaded_with_it(
    sources: dict[str, Path], tmp_path: Path, kind: str
):
    file = write_gguf(sources[kind], tmp_path / "tiny.gguf", kind, Type.Q8_0)
    heads = HeadSet("headrank", "tiny", 3, 4, ((1, 2), (0, 1)), (1.0, 0.5))
    backbone = load_backbone(file, heads.depth)
    torch.manual_seed(3)
    model = attach_lora(backbone, heads, TrainingSettings(lora_r=4))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    save_adapter(model, tmp_path / "adapter", backbone, heads, {})

    texts = [passage.text for passage in passages(6)]
    reranker = Reranker.load(tmp_path / "adapter", backbone=str(file))
    assert reranker.ready.backbone.depth == heads.depth == 2
    ranked = reranker.rank("red oak", texts)
    # The adapter names the file itself, so that it need not be said again.
    assert [p.score for p in Reranker.load(tmp_path / "adapter").rank("red oak", texts)] == [
        p.score for p in ranked
    ]
    untrained = rerank_together(
        load_backbone(file, heads.depth),
        reranker.ready.builder,
        [trained(heads, reranker.ready.settings)],
        [Candidates("query", "red oak", tuple(Document(str(i), "", text) for i, text in enumerate(texts)))],
        "best-first",
    )[reranker.name]
    before = dict(zip(untrained["docid"].astype(int), untrained["score"], strict=True))
    assert max(abs(p.score - before[p.index]) for p in ranked) > 0.01
    with pytest.raises(InputError, match="trained on another backbone"):
        Reranker.load(tmp_path / "adapter", backbone=str(sources[kind]))
