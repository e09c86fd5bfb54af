"""A study on a GGUF file: at hand or from the hub, dequantised once, refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Finished, snakemake
from ggufs import float_checkpoint, write_gguf
from servers import REVISION, publish, served
from small_study import write_study

from headrank.data.digests import file_digest

pytestmark = pytest.mark.slow

MODEL = "maker/tiny-GGUF"
FILE = "tiny-q8_0.gguf"
BACKBONE = Path("results/fetched/backbones/b")
FEATURES = "results/fetched/features/b/training.safetensors"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    source = float_checkpoint(tmp_path_factory.mktemp("float") / "qwen2", "qwen2")
    write_gguf(source, folder / FILE, "qwen2")
    return folder


def spec(models: Path, **more: str) -> dict[str, str]:
    return {"source": "gguf", "file": FILE, "sha256": file_digest(models / FILE), **more}


def run(study: Path, *arguments: str, **environment: str) -> Finished:
    return snakemake(
        *("--cores", "1", *arguments, "--configfile", study),
        directory=study.parent,
        HEADRANK_DATA=str(study.parent / "data"),
        HF_HOME=str(study.parent / "hub"),
        **environment,
    )


def origin(study: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study.parent / BACKBONE / "gguf.json").read_text())
    return found


def test_a_file_at_hand_is_dequantised_once_and_read(models: Path, tmp_path: Path) -> None:
    hub = {"id": MODEL, "revision": REVISION}
    study = write_study(tmp_path, spec(models, **hub), models=str(tmp_path / "nowhere"))
    # With the key alone it is not at hand and has to be fetched; the variable takes precedence.
    assert run(study, "-n").jobs["fetch_gguf"] == 1
    planned = run(study, "-n", HEADRANK_MODELS=str(models)).jobs
    assert planned["unpack_gguf"] == 1
    assert not {"fetch_gguf", "link_backbone", "fetch_backbone"} & planned.keys()
    with served({}) as server:
        done = run(study, FEATURES, HEADRANK_MODELS=str(models), HF_ENDPOINT=server.url)
        assert done.code == 0, done.err[-3000:]
        assert server.requests == []
    assert (tmp_path / FEATURES).is_file()
    told = origin(study)
    assert (told["file"], told["sha256"], told["id"]) == (FILE, file_digest(models / FILE), MODEL)
    # Nothing is left to do with the key in place of the variable.
    study = write_study(tmp_path, spec(models, **hub), models=str(models))
    assert "Nothing to be done" in run(study, "-n", FEATURES).out


def test_a_file_of_the_hub_comes_once_and_the_rest_is_offline(models: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, spec(models, id=MODEL, revision=REVISION))
    with served({}) as server:
        publish(server, MODEL, models)
        done = run(study, "download", HF_ENDPOINT=server.url)
        assert done.code == 0, done.err[-3000:]
        fetched = tmp_path / "results/fetched/gguf/b.gguf"
        assert fetched.read_bytes() == (models / FILE).read_bytes()
        server.requests.clear()
        done = run(study, str(BACKBONE), HF_ENDPOINT=server.url)
        assert done.code == 0, done.err[-3000:]
        assert server.requests == []
    assert (origin(study)["file"], origin(study)["revision"]) == (FILE, REVISION)


def refused(done: Finished, study: Path, *words: str) -> None:
    assert done.code != 0
    assert [line for line in done.errors if all(word in line for word in words)], done.err[-3000:]
    assert not (study.parent / BACKBONE).exists()


def test_a_file_of_another_digest_is_refused(models: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, spec(models) | {"sha256": "0" * 64}, models=str(models))
    refused(run(study, str(BACKBONE)), study, FILE, file_digest(models / FILE), "0" * 64)


def test_what_the_hub_states_must_be_what_is_asked_for(models: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, spec(models, id=MODEL, revision=REVISION) | {"sha256": "0" * 64})
    with served({}) as server:
        publish(server, MODEL, models)
        refused(run(study, "download", HF_ENDPOINT=server.url), study, MODEL, FILE, "0" * 64)
        assert not [path for method, path, _ in server.requests if method == "GET" and path.endswith(FILE)]


def test_a_file_that_is_nowhere_is_refused_before_anything_runs(models: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, spec(models), models=str(tmp_path / "empty"))
    refused(run(study, "-n"), study, "backbones.b.file", FILE, str(tmp_path / "empty"), "HEADRANK_MODELS")


def test_a_file_of_the_hub_needs_its_digest(tmp_path: Path) -> None:
    study = write_study(tmp_path, {"source": "gguf", "file": FILE, "id": MODEL, "revision": REVISION})
    refused(run(study, "-n"), study, "backbones.b", "'sha256' is a dependency of 'id'")
