"""``headrank rerank`` with an adapter or heads: the run carries the right name, and wrong parts are refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support import checkpoint, passages

from headrank.cli import main
from headrank.engine.backbone import identify, load_backbone
from headrank.heads.head_set import HeadSet
from headrank.settings import Settings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter

HEADS = HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 2)), (1.0, 0.5))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    documents = passages(4)
    rows = [json.dumps({"_id": d.docid, "title": d.title, "text": d.text}) for d in documents]
    (tmp_path / "corpus.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "red oak"}\n', encoding="utf-8")
    run = [f"q Q0 d{d} {d + 1} {9 - d} bm25" for d in range(4)]
    (tmp_path / "run.trec").write_text("\n".join(run) + "\n", encoding="utf-8")
    return tmp_path


def rerank(files: Path, *more: str) -> int:
    fixed = (
        "--collection",
        str(files),
        "--run",
        str(files / "run.trec"),
        "--output",
        str(files / "out.trec"),
    )
    return main(["rerank", *fixed, "--device", "cpu", *more])


def adapter(files: Path, name: str | None, model_folder: str = "", **settings: dict[str, str]) -> str:
    backbone = load_backbone(model_folder or checkpoint("qwen3"), depth=HEADS.depth)
    given = Settings.from_mapping(settings)
    model = attach_lora(backbone, HEADS, given.training)
    save_adapter(model, files / "adapter", backbone, HEADS, to_mapping(given), name)
    return str(files / "adapter")


def tags(files: Path) -> set[str]:
    return {line.split()[5] for line in (files / "out.trec").read_text(encoding="utf-8").splitlines()}


def refused(files: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert rerank(files, *more) in (2, 5)
    assert not (files / "out.trec").exists()
    return capsys.readouterr().err.strip().splitlines()[-1]


MASS = {"loss": {"form": "group-contrastive", "score": "mass"}}


@pytest.mark.parametrize(
    ("name", "settings", "tag"),
    [
        ("qrranker", MASS, "qrranker"),
        (None, MASS, "qrranker"),
        (None, {"encoding": {"documents": "independent"}, "loss": {"form": "pointer"}}, "comprank"),
        ("k-2", {}, "k-2"),
        (None, {}, "headrank"),
    ],
)
def test_a_run_carries_what_the_adapter_was_trained_as(
    name: str | None, settings: dict[str, dict[str, str]], tag: str, files: Path
) -> None:
    assert rerank(files, "--adapter", adapter(files, name, **settings)) == 0
    assert tags(files) == {tag}


def test_an_adapter_whose_model_is_not_where_it_says_asks_for_it(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = files / "before", files / "after"
    shutil.copytree(checkpoint("qwen3"), before)
    given = adapter(files, None, str(before))
    before.rename(after)
    assert rerank(files, "--adapter", given) == 4
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith(f"error: {before}: no usable model configuration")
    assert told.endswith(f"; {given} names this model: start where that path leads to it, or give --backbone")
    assert rerank(files, "--adapter", given, "--backbone", str(after)) == 0


def test_a_method_that_the_adapter_is_not_is_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = adapter(files, "k-2")
    for method in ("qrranker", "comprank", "core-trained"):
        assert refused(files, capsys, "--adapter", folder, "--method", method) == (
            f"error: --method {method}: {folder} was trained as k-2; leave --method out"
        )
    # A variant of HeadRank is HeadRank, under its own name.
    assert rerank(files, "--adapter", folder, "--method", "headrank") == 0
    assert tags(files) == {"k-2"}


def test_options_that_an_adapter_would_ignore_are_refused(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = adapter(files, "headrank")
    told = refused(files, capsys, "--adapter", folder, "--family", "plain")
    assert (
        told
        == "error: --family: an adapter keeps the chat frame that it was trained with; leave --family out"
    )
    told = refused(files, capsys, "--adapter", folder, "--revision", "1" * 40)
    assert told.endswith(f"a folder has no revision; leave {'1' * 40} out")
    base = ("--method", "icr", "--backbone", str(checkpoint("qwen3")))
    assert refused(files, capsys, *base, "--revision", "1" * 40).endswith(f"leave {'1' * 40} out")


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_heads_of_another_model_are_refused(
    kind: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Llama's differ in number; Qwen2 has as many layers and heads, all of which the set's own model has too."""
    model = identify(str(checkpoint("qwen3")))
    heads = replace(HEADS, method="core", model=model.name, fingerprint=model.fingerprint)
    heads.save(files / "heads.json")
    given = ("--method", "core", "--heads", str(files / "heads.json"), "--backbone")
    assert rerank(files, *given, str(checkpoint("qwen3"))) == 0
    (files / "out.trec").unlink()
    told = refused(files, capsys, *given, str(checkpoint(kind)))
    assert told.startswith(
        f"error: {files / 'heads.json'}: found on another backbone than {checkpoint(kind)}: {model.name} ("
    )
