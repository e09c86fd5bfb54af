"""Adapters' folders: the description, peft's two files, the heads; through ``headrank rerank`` and their readers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_files import (
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    Bad,
    any_json,
    cases,
    changed,
    cut,
    damaged,
    read_or_refused,
    refused_by_command,
    refused_by_reader,
    spoilt,
    with_keys,
)
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from headrank.engine.lora_files import CONFIG, WEIGHTS, read_lora
from headrank.heads.head_set import HeadSet
from headrank.training.saved_adapter import DESCRIPTION, HEADS, read_adapter

MODULE = "base_model.model.model.layers.1.self_attn.q_proj"
LORA = {
    "peft_type": "LORA",
    "r": 2,
    "lora_alpha": 4,
    "lora_dropout": 0.05,
    "bias": "none",
    "target_modules": ".*layers\\.(?:0|1)\\.self_attn\\.q_proj",
}


def sound(folder: Path) -> Path:
    """An adapter's folder as training writes it, with the smallest weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        f"{MODULE}.lora_A.weight": np.ones((2, 8), "f4"),
        f"{MODULE}.lora_B.weight": np.ones((8, 2), "f4"),
    }
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(LORA), encoding="utf-8")
    HeadSet("headrank", "m", 4, 4, ((1, 2), (0, 3)), (0.9, 0.5)).save(folder / HEADS)
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (WEIGHTS, CONFIG, HEADS)
    }
    told: dict[str, Any] = {
        "schema": 1,
        "backbone": "m",
        "n_layers": 4,
        "n_heads": 4,
        "depth": 2,
        "settings": {},
    }
    told |= {"files": digests, "trained_as": "headrank", "backbone_fingerprint": "ab12"}
    (folder / DESCRIPTION).write_text(json.dumps(told), encoding="utf-8")
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "oak"}\n', encoding="utf-8")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "red oak"}\n', encoding="utf-8")
    (tmp_path / "run.trec").write_text("q Q0 d 1 1.0 tag\n", encoding="utf-8")
    sound(tmp_path / "adapter")
    return tmp_path


def rerank(files: Path) -> list[str | Path]:
    fixed = ["--collection", files, "--run", files / "run.trec", "--output", files / "out.trec"]
    return ["rerank", "--adapter", files / "adapter", *fixed]


NONE = "no readable adapter description"


@cases(
    *any_json(NONE),
    Bad("no schema", with_keys(schema=...), f"{NONE} \\(schema: no count"),
    Bad("another schema", with_keys(schema=99), "schema 99 is not known; this version reads schema 1"),
    Bad("a schema true", with_keys(schema=True), f"{NONE} \\(schema: no count"),
    Bad("no backbone", with_keys(backbone=...), f"{NONE} \\(backbone: no text"),
    Bad("a number for the backbone", with_keys(backbone=3), f"{NONE} \\(backbone: no text"),
    Bad("an empty backbone", with_keys(backbone=""), f"{NONE} \\(backbone: no text"),
    Bad("layers in words", with_keys(n_layers="4"), f"{NONE} \\(n_layers: no count"),
    Bad("a depth of 0", with_keys(depth=0), f"{NONE} \\(depth: no count"),
    Bad("a fraction of heads", with_keys(n_heads=1.5), f"{NONE} \\(n_heads: no count"),
    Bad("a list for a fingerprint", with_keys(backbone_fingerprint=["f"]), "backbone_fingerprint: no text"),
    Bad("no digests at all", with_keys(files=...), f"{NONE} \\(files: no digests"),
    Bad("no digest", with_keys(files={}), f"{NONE} \\(files: not {WEIGHTS}"),
    Bad("a number for digests", with_keys(files=3), f"{NONE} \\(files: no digests"),
    Bad("a number for a digest", with_keys(files={WEIGHTS: 1}), f"{NONE} \\(files: no digests"),
    Bad("digests of other files", with_keys(files={"../x": "ab"}), f"{NONE} \\(files: not"),
    Bad("settings as a list", with_keys(settings=[1]), "headrank: expected a mapping"),
    Bad("an unknown setting", with_keys(settings={"los": {}}), "headrank.los: unknown key; did you mean 'loss'"),
    Bad("a setting of the wrong type", with_keys(settings={"loss": {"beta": "2"}}), "headrank.loss.beta: expected"),
    Bad("a setting out of range", with_keys(settings={"loss": {"beta": -1}}), "headrank.loss.beta: expected more"),
    Bad("a name that is a number", with_keys(trained_as=1), f"{NONE} \\(trained_as: no text"),
)  # fmt: skip
def test_a_bad_description_is_refused(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoilt(files / "adapter" / DESCRIPTION, bad)
    refused_by_command(capsys, rerank(files), path, files, bad)


@cases(
    Bad("other heads than it was trained with", with_keys(depth=1), "other heads than the adapter was trained with"),
    Bad("other layers than its heads have", with_keys(n_layers=6), "other heads than the adapter was trained with"),
)  # fmt: skip
def test_a_description_that_its_heads_deny(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoilt(files / "adapter" / DESCRIPTION, bad)
    refused_by_command(capsys, rerank(files), files / "adapter" / HEADS, files, bad)


CHANGED = "damaged or changed, its checksum is not the one in headrank_config.json"


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, HEADS])
@cases(
    Bad("emptied", "", CHANGED),
    Bad("cut", cut(0.7), CHANGED),
    Bad("a bit flipped", lambda whole: whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:], CHANGED),
    Bad("a byte behind", lambda whole: whole + b"\n", CHANGED),
    Bad("removed", "", "no readable adapter \\(No such file", NOT_FOUND),
    Bad("a pipe in its place", "", "is a pipe, expected a file", NOT_FOUND),
)
def test_a_file_that_was_changed_is_refused(
    name: str, bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoilt(files / "adapter" / name, bad)
    if bad.status == NOT_FOUND:
        path.unlink()
    if "pipe" in bad.name:
        os.mkfifo(path)
    refused_by_command(capsys, rerank(files), path, files, bad)


@cases(Bad("the folder", "", NONE, NOT_FOUND), Bad("the description", "", NONE, NOT_FOUND))
def test_what_is_not_there(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if bad.name == "the folder":
        shutil.rmtree(files / "adapter")
    else:
        (files / "adapter" / DESCRIPTION).unlink()
    refused_by_command(capsys, rerank(files), files / "adapter" / DESCRIPTION, files, bad)


@cases(
    *any_json("no readable adapter configuration|peft_type is None"),
    Bad("another method", with_keys(peft_type="IA3"), "peft_type is 'IA3', and only 'LORA' is trained"),
    Bad("a list for the method", with_keys(peft_type=["LORA"]), "peft_type is \\['LORA'\\]"),
    Bad("rsLoRA", with_keys(use_rslora=True), "use_rslora is True, which training does not write"),
    Bad("DoRA", with_keys(use_dora=True), "use_dora is True, which training does not write"),
    Bad("a bias", with_keys(bias="all"), "bias is 'all', which training does not write"),
    Bad("strengths of its own", with_keys(alpha_pattern={"q_proj": 99}), "alpha_pattern is"),
    Bad("whole modules", with_keys(modules_to_save=["lm_head"]), "modules_to_save is \\['lm_head'\\]"),
    Bad("layers copied", with_keys(layer_replication=[[0, 9]]), "layer_replication is"),
    Bad("no rank", with_keys(r=...), "r should be a whole number from 1, not None"),
    Bad("a rank of 0", with_keys(r=0), "r should be a whole number from 1, not 0"),
    Bad("a rank in words", with_keys(r="2"), "r should be a whole number from 1, not '2'"),
    Bad("a rank true", with_keys(r=True), "r should be a whole number from 1, not True"),
    Bad("no strength", with_keys(lora_alpha=None), "lora_alpha should be a positive number, not None"),
    Bad("a strength below 0", with_keys(lora_alpha=-4), "lora_alpha should be a positive number, not -4"),
    Bad("a strength of 1e30", with_keys(lora_alpha=1e30), "lora_alpha should be a positive number"),
    Bad("modules that are a number", with_keys(target_modules=3), "target_modules should be a pattern or names, not 3"),
    Bad("no modules", with_keys(target_modules=[]), "target_modules should be a pattern or names, not \\[\\]"),
    Bad("a pattern that is none", with_keys(target_modules="(q_proj"), "target_modules is no pattern"),
    Bad("a pattern without end", with_keys(target_modules="(a+)+$"), "not a pattern that training writes"),
    Bad("a pattern of counts", with_keys(target_modules="a{99999999}"), "not a pattern that training writes"),
    Bad("a pattern of a million letters", with_keys(target_modules="a" * 10**6), "not a pattern that training writes"),
)  # fmt: skip
def test_a_bad_configuration_of_peft_is_refused(bad: Bad, files: Path) -> None:
    path = spoilt(files / "adapter" / CONFIG, bad)
    refused_by_reader(lambda path: read_lora(path.parent), path, bad)


def tensors(**named: Any) -> bytes:
    path = SCRATCH / "tensors.safetensors"
    save_file({f"{MODULE}.{name}.weight": np.asarray(array) for name, array in named.items()}, path)
    return path.read_bytes()


@cases(
    Bad("empty", "", "damaged weights"),
    Bad("no safetensors", b"these are no weights", "damaged weights"),
    Bad("a pickle", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94.", "damaged weights"),
    Bad("cut", cut(0.8), "damaged weights"),
    Bad("cut in its header", cut(0.1), "damaged weights"),
    Bad("other weights", tensors(other=np.ones((2, 2), "f4")), "has shape|holds no weights of LoRA"),
    Bad("another rank", tensors(lora_A=np.ones((3, 8), "f4"), lora_B=np.ones((8, 3), "f4")), "has shape \\(3, 8\\), but r is 2 in"),
    Bad("a flat weight", tensors(lora_A=np.ones(16, "f4")), "has shape \\(16,\\), but r is 2 in"),
)  # fmt: skip
def test_bad_weights_are_refused(bad: Bad, files: Path) -> None:
    path = spoilt(files / "adapter" / WEIGHTS, bad)
    refused_by_reader(lambda path: read_lora(path.parent), path, bad)


FILES: dict[str, Callable[[Path], Any]] = {
    DESCRIPTION: lambda path: read_adapter(path.parent),
    HEADS: lambda path: read_adapter(path.parent),
    CONFIG: lambda path: read_lora(path.parent),
    WEIGHTS: lambda path: read_lora(path.parent),
}


@pytest.mark.parametrize("name", FILES)
@PROPERTY
@given(st.data())
def test_any_damage_is_read_or_refused(name: str, data: st.DataObject) -> None:
    path = sound(SCRATCH / "adapter") / name
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    read_or_refused(FILES[name], path)


@pytest.mark.parametrize("name", [DESCRIPTION, CONFIG])
@PROPERTY
@given(st.data())
def test_any_other_value_is_read_or_refused(name: str, data: st.DataObject) -> None:
    path = sound(SCRATCH / "adapter") / name
    value = data.draw(changed(json.loads(path.read_text(encoding="utf-8"))))
    path.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    # A description may contradict the heads, which are named then.
    read_or_refused(lambda folder: FILES[name](folder / name), path.parent)


def test_a_sound_folder_is_read(tmp_path: Path) -> None:
    folder = sound(tmp_path / "adapter")
    assert read_adapter(folder).name == "headrank"
    assert read_lora(folder).rank == LORA["r"]
