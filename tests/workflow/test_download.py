"""The download stage against a local hub: weights come once, are checked, and everything after works offline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import snakemake
from servers import REVISION, publish, served
from support import checkpoint

MODEL = "maker/tiny"
STUDY = {
    "name": "fetched",
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
    "collections": {name: {"source": "local", "path": name, "run": "run.trec"} for name in ("t", "c")},
    "train_on": ["t"],
    "panel": ["c"],
    "methods": ["headrank-untrained"],
    "evaluation": {"baseline": "bm25"},
    "backbones": {"b": {"source": "hub", "id": MODEL, "revision": REVISION}},
    "headrank": {"candidates": {"depth": 3}, "lists": {"size": 3, "pool": 3}, "selection": {"k": 2}},
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name, asked in (("t", "shared word"), ("c", "shared text word")):
        place = tmp_path / "data" / name
        place.mkdir(parents=True)
        documents = [{"_id": f"d{i}", "title": "", "text": f"word{i} shared text"} for i in range(4)]
        (place / "corpus.jsonl").write_text("".join(f"{json.dumps(d)}\n" for d in documents))
        queries = [{"_id": f"q{i}", "text": f"{asked}{i}"} for i in (1, 2)]
        (place / "queries.jsonl").write_text("".join(f"{json.dumps(q)}\n" for q in queries))
        (place / "qrels.trec").write_text("q1 0 d1 2\nq1 0 d0 0\nq2 0 d2 1\nq2 0 d0 0\n")
        run = [f"{q} Q0 d{i} {i + 1} {4 - i} given" for q in ("q1", "q2") for i in range(3)]
        (place / "run.trec").write_text("\n".join(run) + "\n")
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path


def test_weights_come_once_and_the_rest_is_offline(study: Path) -> None:
    directory = study.parent
    settings = {"HEADRANK_DATA": str(directory / "data"), "HF_HOME": str(directory / "hub")}
    with served({}) as hub:
        publish(hub, MODEL, checkpoint("qwen3"))
        arguments = ("--cores", "1", "--configfile", study)
        done = snakemake("download", *arguments, directory=directory, HF_ENDPOINT=hub.url, **settings)
        assert done.code == 0, done.err[-3000:]
        fetched = directory / "results" / "fetched" / "backbones" / "b"
        assert (fetched / "model.safetensors").read_bytes() == (
            checkpoint("qwen3") / "model.safetensors"
        ).read_bytes()
        # Where nothing is downloaded nothing is asked: of a hub that is gone, features are read all the same.
        hub.requests.clear()
        target = "results/fetched/features/b/training.safetensors"
        done = snakemake(target, *arguments, directory=directory, HF_ENDPOINT=hub.url, **settings)
        assert done.code == 0, done.err[-3000:]
        assert hub.requests == []
        assert (directory / target).is_file()


def test_a_wrong_byte_stops_the_stage_and_leaves_nothing(study: Path) -> None:
    directory = study.parent
    with served({}) as hub:
        publish(hub, MODEL, checkpoint("qwen3"))
        place = f"/{MODEL}/resolve/{REVISION}/model.safetensors"
        content = hub.files[place]
        hub.files[place] = content[:-1] + bytes([content[-1] ^ 1])
        done = snakemake(
            "download",
            "--cores",
            "1",
            "--configfile",
            study,
            directory=directory,
            HF_ENDPOINT=hub.url,
            HF_HOME=str(directory / "hub"),
            HEADRANK_DATA=str(directory / "data"),
        )
    assert done.code != 0
    assert any(MODEL in line and "model.safetensors has a wrong checksum" in line for line in done.errors), (
        done.err[-3000:]
    )
    assert not (directory / "results" / "fetched" / "backbones" / "b").exists()
