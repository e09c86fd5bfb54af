"""More heads asked for than a model has are refused before anything runs, wherever its sizes are known by then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from studies import study_of

from headrank.planted.specs import RealTextSpec
from headrank.workflow.head_counts import faults_of_head_counts


def faults(config: dict[str, Any], data: Path, k: int, criterion: str = "core_k", **model: Any) -> list[str]:
    """Of the study with another model for its small backbone, which asks for so many heads."""
    spec = config["backbones"]["small"]
    baselines = {**spec["headrank"]["baselines"], criterion: k}
    config["backbones"]["small"] = {**spec, **model, "headrank": {**spec["headrank"], "baselines": baselines}}
    return list(dict.fromkeys(faults_of_head_counts(config, str(data))))


@pytest.fixture
def config() -> dict[str, Any]:
    return dict(study_of("mini").config)


def test_a_model_of_the_hub_whose_sizes_are_published(config: dict[str, Any], tmp_path: Path) -> None:
    hub = {"source": "hub", "id": "Qwen/Qwen3-0.6B"}
    assert faults(config, tmp_path, 448, "qrhead_k", **hub) == []
    assert faults(config, tmp_path, 449, "qrhead_k", **hub) == [
        "backbones.small.headrank.baselines.qrhead_k: 449 heads of backbone 'small', which has 448; ask for fewer"
    ]


def test_a_local_model(config: dict[str, Any], tmp_path: Path) -> None:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 12, "intermediate_size": 8}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({**sizes, "vocab_size": 9}), encoding="utf-8")
    local = {"source": "local", "path": "model"}
    config["variants"] = {}
    assert faults(config, tmp_path, 6, **local) == []
    assert faults(config, tmp_path, 7, **local) == [
        "backbones.small.headrank.baselines.core_k: 7 heads of backbone 'small', which has 6; ask for fewer"
    ]


def test_a_model_that_the_study_builds_with_default_sizes(config: dict[str, Any], tmp_path: Path) -> None:
    heads = [{"layer": 2, "head": 0}]
    model = {"source": "realtext", "tokenizer": "tokenizer", "realtext": {"planted": heads}}
    config["variants"] = {}
    most = RealTextSpec.layers * RealTextSpec.heads
    assert faults(config, tmp_path, most, **model) == []
    assert faults(config, tmp_path, most + 1, **model) == [
        f"backbones.small.headrank.baselines.core_k: {most + 1} heads of backbone 'small', which has {most};"
        " ask for fewer"
    ]


def test_a_model_of_unknown_sizes_and_a_method_that_is_not_used(
    config: dict[str, Any], tmp_path: Path
) -> None:
    assert faults(config, tmp_path, 10**6, source="hub", id="somebody/odd") == []
    config["methods"] = ["icr", "headrank-untrained"]
    config["variants"], config["trained_baselines"] = {}, {}
    assert faults(config, tmp_path, 10**6) == []
