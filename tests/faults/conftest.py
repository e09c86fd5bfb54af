"""The finished studies whose stages are disturbed, built once per session."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import replay
import yaml
from encoders import write_encoder
from ggufs import float_checkpoint, write_gguf
from whole_study import NAME, OTHER_STAGES, STAGES, Stage, build, stages_of, whole_config, write_config


@dataclass(frozen=True)
class Finished:
    """A study's directory, which tests copy and never change, and one job of each stage."""

    directory: Path
    stages: dict[str, Stage]


@pytest.fixture(scope="session")
def whole_study(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Built now, or before in the directory that HEADRANK_WHOLE_STUDY names."""
    if given := os.environ.get("HEADRANK_WHOLE_STUDY"):
        directory = Path(given)
    else:
        directory = tmp_path_factory.mktemp("whole")
        write_config(directory, whole_config())
        build(directory)
    replay.prepare()
    return Finished(directory, stages_of(directory))


@pytest.fixture(scope="session")
def other_study(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A dense first stage with a local encoder, and a backbone from a GGUF file."""
    directory = tmp_path_factory.mktemp("other")
    data, models = directory / "data", directory / "models"
    (data / "c").mkdir(parents=True)
    models.mkdir()
    for name, texts in (
        ("corpus", {f"d{i}": f"passage about thing {i} and {i % 3}" for i in range(40)}),
        ("queries", {f"q{i}": f"thing {i}" for i in (1, 2)}),
    ):
        lines = [json.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        (data / "c" / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data / "c" / "qrels.trec").write_text("q1 0 d1 1\nq2 0 d2 1\n", encoding="utf-8")
    write_encoder(data / "encoder")
    write_gguf(float_checkpoint(directory / "float", "qwen2"), models / "tiny.gguf", "qwen2")
    config = {
        "name": NAME,
        **{"device": "cpu", "dtype": "float32", "threads": 1, "data": str(data), "models": str(models)},
        "collections": {"c": {"source": "local", "path": "c"}},
        "panel": ["c"],
        "methods": ["icr"],
        "encoders": {"tiny": {"source": "local", "path": "encoder"}},
        "first_stage": {"method": "dense", "encoder": "tiny", "max_tokens": 64, "batch": 5},
        "backbones": {"b": {"source": "gguf", "file": "tiny.gguf"}},
    }
    (directory / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    build(directory)
    replay.prepare()
    return Finished(directory, stages_of(directory))


@pytest.fixture(params=(*STAGES, *OTHER_STAGES))
def stage_and_study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Stage, Path]]:
    """Each stage in turn, with a copy of its finished study."""
    study = request.getfixturevalue("other_study" if request.param in OTHER_STAGES else "whole_study")
    copy = tmp_path / "study"
    shutil.copytree(study.directory, copy, symlinks=True)
    yield study.stages[request.param], copy
    shutil.rmtree(tmp_path, ignore_errors=True)
