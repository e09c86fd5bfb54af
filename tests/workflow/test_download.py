"""The download stage against a local hub: weights come once, are checked, and everything after works offline."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import snakemake
from servers import REVISION, publish, served
from small_study import write_study
from support import checkpoint

pytestmark = pytest.mark.slow

MODEL = "maker/tiny"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path, {"source": "hub", "id": MODEL, "revision": REVISION})


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
