"""An exported adapter: equal scores wherever it lies, PEFT reads it, and what does not belong to it is refused."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports import BASE, COMMIT, exported, trained
from ggufs import float_checkpoint, write_gguf
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from support import checkpoint, passages, tiny_config, write_checkpoint
from transformers import AutoModel, AutoModelForCausalLM

from headrank import Reranker
from headrank.api.golden import golden_scores, read_golden
from headrank.data.digests import file_digest
from headrank.engine.backbone import load_backbone
from headrank.engine.gguf.find import find_gguf
from headrank.errors import InputError, NotFoundError, RunError, UsageError
from headrank.heads.head_set import HeadSet

pytestmark = pytest.mark.slow

TEXTS = [document.text for document in passages(5)]
FILES = {
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "golden_scores.json",
    "headrank_config.json",
    "heads.json",
}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("adapter") / "trained")


@pytest.fixture(scope="module")
def made(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(adapter, tmp_path_factory.mktemp("export") / "out")


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "elsewhere" / "copied"))


def scores(folder: Path, backbone: Any = None, **options: Any) -> list[float]:
    reranker = Reranker.load(folder, backbone, **options)
    return [document.score for document in reranker.rank("red oak", TEXTS)]


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def refused(kind: type[InputError], call: Callable[..., Any], *given: Any, **named: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*given, **named)
    assert type(caught.value) is kind, caught.value
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_gives_the_scores_of_the_adapter_also_after_it_was_moved(
    adapter: Path, made: Path, copy: Path
) -> None:
    right = scores(adapter)
    assert scores(made, checkpoint("qwen3")) == right
    assert scores(copy, checkpoint("qwen3"), check=True) == right


def test_the_folder_holds_these_files_and_no_path_of_this_machine(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == FILES
    for path in made.iterdir():
        content = path.read_bytes()
        for place in (checkpoint("qwen3").parent, made.parent, Path.home()):
            assert str(place).encode() not in content, path.name


def test_every_file_says_which_base_it_belongs_to(made: Path) -> None:
    lora = json.loads((made / "adapter_config.json").read_text())
    assert (lora["base_model_name_or_path"], lora["revision"]) == (BASE, COMMIT)
    heads = HeadSet.load(made / "heads.json")
    assert (heads.model, json.loads((made / "heads.json").read_text())["index"]) == (BASE, "query_head")
    told = json.loads((made / "headrank_config.json").read_text())
    assert told["exported"]["base"] == {"repository": BASE, "revision": COMMIT}
    assert told["exported"]["files"] == {"golden_scores.json": file_digest(made / "golden_scores.json")}
    assert told["backbone_fingerprint"] == heads.fingerprint


def test_plain_peft_loads_it_with_every_weight_in_its_place(made: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(checkpoint("qwen3"))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        model = PeftModel.from_pretrained(base, str(made))
    stored = load_file(made / "adapter_model.safetensors")
    loaded = get_peft_model_state_dict(model, save_embedding_layers=False)
    assert set(loaded) == set(stored)
    assert stored
    assert all(loaded[name].equal(stored[name]) for name in stored)
    # The card warns of it.
    with pytest.raises(ValueError, match="not found in the base model"):
        PeftModel.from_pretrained(AutoModel.from_pretrained(checkpoint("qwen3")), str(made))


def test_another_base_is_refused(made: Path, adapter: Path, tmp_path: Path) -> None:
    twin = write_checkpoint(tmp_path / "twin", tiny_config("qwen3"), seed=5)
    told = refused(InputError, Reranker.load, made, twin)
    assert f"trained on another backbone than {twin}: {BASE}" in told
    told = refused(InputError, exported, adapter, tmp_path / "out", backbone=str(twin))
    assert "trained on another backbone" in told
    assert not (tmp_path / "out").exists()


def test_a_base_without_a_public_name_has_to_be_given(
    adapter: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        made = exported(adapter, tmp_path / "out", base=None)
    assert "its base model has no public name" in caplog.text
    told = refused(NotFoundError, Reranker.load, made)
    assert told.startswith(f"{made}: its base model has no public name; name its folder as backbone")
    assert scores(made, checkpoint("qwen3"), check=True) == scores(adapter)
    assert "base_model:" not in (made / "README.md").read_text(encoding="utf-8")
    # It can be exported again, with a name.
    again = exported(made, tmp_path / "again", backbone=str(checkpoint("qwen3")))
    assert scores(again, checkpoint("qwen3"), check=True) == scores(adapter)


def test_a_name_without_a_commit_is_refused(adapter: Path, tmp_path: Path) -> None:
    for named in ("maker/tiny", "maker/tiny@main", f"tiny@{COMMIT}"):
        told = refused(UsageError, exported, adapter, tmp_path / "out", base=named)
        assert told == f"--base {named}: expected ORG/NAME@COMMIT, with the commit's 40 hex digits"


def test_a_licence_must_be_known_and_a_study_finished(adapter: Path, tmp_path: Path) -> None:
    told = refused(UsageError, exported, adapter, tmp_path / "out", base=None, licence=None)
    assert "name the adapter's with --license" in told
    (tmp_path / "study").mkdir()
    with pytest.raises(InputError, match=r"study: has no manifest\.sha256, so the study is not finished"):
        exported(adapter, tmp_path / "out", study=tmp_path / "study")


def test_what_no_export_made_is_not_replaced(adapter: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    told = refused(InputError, exported, adapter, tmp_path / "mine")
    assert told == f"{tmp_path / 'mine'}: exists, and no export made it; name a new one, or remove it"
    # Nor is what training wrote, with its curves.
    told = refused(InputError, exported, adapter, adapter)
    assert told.startswith(f"{adapter}: exists, and no export made it")
    assert exported(adapter, exported(adapter, tmp_path / "out")).is_dir()


def other_score(folder: Path) -> None:
    path = folder / "golden_scores.json"
    lists = json.loads(path.read_text())["lists"]
    lists[1]["scores"][0] += 0.5
    change(path, lists=lists)


def vouch(folder: Path) -> None:
    path = folder / "headrank_config.json"
    told = json.loads(path.read_text())["exported"]
    told["files"]["golden_scores.json"] = file_digest(folder / "golden_scores.json")
    change(path, exported=told)


def test_other_scores_than_it_was_exported_with_are_told_when_it_is_checked(copy: Path) -> None:
    other_score(copy)
    told = refused(InputError, Reranker.load, copy, checkpoint("qwen3"))
    assert told.startswith(f"{copy / 'golden_scores.json'}: damaged or changed")
    vouch(copy)
    Reranker.load(copy, checkpoint("qwen3"))
    told = refused(UsageError, Reranker.load, copy, checkpoint("qwen3"), check=True, order="best-last")
    assert told == "check: the scores to compare with are without order; leave one of them out"
    told = refused(RunError, Reranker.load, copy, checkpoint("qwen3"), check=True)
    assert told.startswith(f"{copy / 'golden_scores.json'}: list 2 gets other scores here")


def test_an_adapter_that_training_wrote_cannot_be_checked(adapter: Path) -> None:
    with pytest.raises(InputError, match="only what `headrank export` wrote can be checked"):
        Reranker.load(adapter, check=True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "no readable golden scores (not a JSON object)"),
        (
            '{"schema": 2, "dtype": "float32", "lists": []}',
            "malformed golden scores.schema: expected one of 1, got 2",
        ),
        ('{"schema": 1, "dtype": "float32", "lists": []}', "0 lists, expected 1 to 100"),
        (
            '{"schema": 1, "dtype": "float32", "lists": [{"query": "a", "passages": ["b", "c"], "scores": [1]}]}',
            "2 passages and 1 scores of a list",
        ),
        (
            '{"schema": 1, "dtype": "float32", "lists": [{"query": 1, "passages": ["b", "c"], "scores": [1, 2]}]}',
            "malformed golden scores.lists.query: expected str, got 1",
        ),
    ],
)
def test_malformed_golden_scores_are_named(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "golden_scores.json").write_text(content)
    assert refused(InputError, read_golden, tmp_path) == f"{tmp_path / 'golden_scores.json'}: {told}"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            {"version": "1", "base": {"repository": "../x/y"}, "files": {}},
            "exported.base.repository: '../x/y' is none",
        ),
        (
            {"version": "1", "base": {"revision": "main"}, "files": {}},
            "exported.base.revision: 'main' is none",
        ),
        (
            {"version": "1", "base": {"file": "/etc/x.gguf"}, "files": {}},
            "exported.base.file: '/etc/x.gguf' is none",
        ),
        ({"version": "1", "base": {}, "files": {"../secret": "0" * 64}}, "expected golden_scores.json alone"),
        ({"version": "1", "base": {"place": "x"}, "files": {}}, "exported.base.place: unknown key"),
        ("x", "exported: expected a mapping, got 'x'"),
    ],
)
def test_a_description_that_names_other_places_is_refused(copy: Path, told: Any, reason: str) -> None:
    change(copy / "headrank_config.json", exported=told)
    found = refused(InputError, Reranker.load, copy, checkpoint("qwen3"))
    assert found.startswith(f"{copy / 'headrank_config.json'}: ")
    assert reason in found


def test_a_base_that_is_a_gguf_file_is_named_by_file_and_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRANK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HEADRANK_MODELS", str(tmp_path / "models"))
    source = write_gguf(float_checkpoint(tmp_path / "float", "qwen3"), tmp_path / "tiny.gguf", "qwen3")
    (tmp_path / "kept").mkdir()
    kept = shutil.copy(source, tmp_path / "kept" / source.name)
    heads = HeadSet("headrank", "tiny", 3, 4, ((1, 1), (0, 2)), (1.0, 0.5))
    adapter = trained(tmp_path / "adapter", source, heads)
    made = exported(adapter, tmp_path / "out", base=f"maker/tiny-gguf@{COMMIT}")
    told = json.loads((made / "headrank_config.json").read_text())
    base = {
        "repository": "maker/tiny-gguf",
        "revision": COMMIT,
        "file": "tiny.gguf",
        "sha256": file_digest(source),
    }
    assert (told["exported"]["base"], told["backbone"]) == (base, "tiny.gguf")
    assert 'gguf_file="tiny.gguf"' in (made / "README.md").read_text(encoding="utf-8")
    right = scores(adapter)
    # The file has moved to the folder of models, and the adapter to another computer.
    (tmp_path / "models").mkdir()
    moved = source.rename(tmp_path / "models" / "tiny.gguf")
    shutil.rmtree(tmp_path / "cache")
    assert scores(made, check=True) == right
    folder = load_backbone(moved).folder
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(str(folder)), str(made))
    stored = load_file(made / "adapter_model.safetensors")
    assert set(get_peft_model_state_dict(model, save_embedding_layers=False)) == set(stored)
    # Another file of the same name; without a repository there is no other to be had.
    write_gguf(float_checkpoint(tmp_path / "float", "qwen3", seed=1), moved, "qwen3")
    alone = exported(adapter, tmp_path / "alone", base=None, backbone=str(kept))
    told = refused(InputError, Reranker.load, alone)
    assert told.startswith(f"{moved}: not the base model of {alone}, whose SHA-256 is {base['sha256']}")
    moved.unlink()
    assert refused(NotFoundError, Reranker.load, alone).startswith(
        f"tiny.gguf: the base model of {alone} is no file"
    )


def test_a_real_model_in_a_gguf_file(tmp_path: Path) -> None:
    file = find_gguf("SmolLM2-135M-Instruct.Q4_1.gguf")
    if file is None:
        pytest.skip("SmolLM2 is absent: make smollm2, or set HEADRANK_MODELS to its folder")
    heads = HeadSet("headrank", "smollm2", 30, 9, ((3, 1), (2, 2)), (1.0, 0.5))
    adapter = trained(tmp_path / "adapter", file, heads)
    made = exported(adapter, tmp_path / "out", base=None)
    assert json.loads((made / "headrank_config.json").read_text())["exported"]["base"] == {
        "file": file.name,
        "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    }
    found = golden_scores(Reranker.load(made, file, dtype="float32", device="cpu"))
    assert found == golden_scores(Reranker.load(adapter, dtype="float32", device="cpu"))
    # In the type of the file, too, within the wider bound of 16 bits.
    Reranker.load(made, file, check=True)
