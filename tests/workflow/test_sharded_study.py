"""A study in shards, an adapter and a pool a job: the same bytes as in one piece and in shared jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import configuration, snakemake

pytestmark = pytest.mark.slow

SHARDS = 3
# What stands behind them is every model job; tables and figures are functions of these.
TARGETS = [f"results/mini/metrics/{name}.parquet" for name in ("main", "routes", "cost")]


@pytest.fixture(scope="module")
def small_study() -> dict[str, Any]:
    """The mini study cut down to one backbone, two benchmarks and one method of every kind of model job."""
    config: dict[str, Any] = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
    for key in ("ablation", "variants", "averages"):
        config.pop(key, None)
    config["backbones"] = {"small": config["backbones"]["small"]}
    config["panel"] = ["in-domain", "other-topics"]
    config["trained_baselines"] = {"qrranker": config["trained_baselines"]["qrranker"]}
    # It has no ranking of the other benchmark.
    config["baselines_panel"] = ["in-domain"]
    config["methods"] = ["icr", "core", "core-own", "routehead", "core-faithful", "headrank-untrained"]
    config["generative"] = {"methods": ["first", "qwen3-reranker"]}
    config["evaluation"] = {**config.get("evaluation", {}), "baseline": "core"}
    for name in ("training", "detection"):
        config["collections"][name]["synthetic"]["queries"] = 20
    # Fewer than a block has: all shards but one have none of its queries.
    config["collections"]["other-topics"]["synthetic"]["queries"] = 10
    config["headrank"]["training"] |= {"epochs": 1}
    return config


def run(config: dict[str, Any], directory: Path) -> dict[str, bytes]:
    """Run a study; its runs, heads, features and metrics as bytes."""
    directory.mkdir()
    path = directory / "study.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    done = snakemake("--cores", "all", *TARGETS, "--configfile", path, directory=directory)
    assert done.code == 0, done.err[-4000:]
    results = directory / "results" / "mini"
    patterns = (
        "runs/**/*",
        "heads/**/*",
        "pairs/**/*",
        "features/**/*",
        "adapters/**/*.safetensors",
        "metrics/**/*",
    )
    kept = [path for pattern in patterns for path in results.glob(pattern) if path.is_file()]
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in kept}


def test_results_are_the_same_in_one_piece_and_in_shards(small_study: dict[str, Any], tmp_path: Path) -> None:
    assert small_study["adapters_per_job"] > 1
    whole = run(small_study, tmp_path / "whole")
    parts = run({**small_study, "shards": SHARDS, "adapters_per_job": 1}, tmp_path / "parts")
    assert {name for name in whole if name.startswith("runs/")}
    assert set(parts) == set(whole)
    assert [name for name in whole if parts[name] != whole[name]] == []
    assert whole["runs/small/in-domain/qrranker.trec"]
    assert not whole["runs/small/other-topics/qrranker.trec"]
    metrics = pd.read_parquet(tmp_path / "parts" / "results" / "mini" / "metrics" / "main.parquet")
    assert set(metrics.loc[metrics["method"] == "qrranker", "benchmark"]) == {"in-domain"}
    assert set(metrics.loc[metrics["method"] == "headrank", "benchmark"]) == {"in-domain", "other-topics"}

    # A part that is lost is made again, that shard alone.
    results = tmp_path / "parts" / "results" / "mini"
    (results / "shards" / f"2-of-{SHARDS}" / "runs" / "small" / "in-domain" / "icr.trec").unlink()
    (results / "runs" / "small" / "in-domain" / "icr.parquet").unlink()
    arguments = ("--configfile", tmp_path / "parts" / "study.yaml")
    target = "results/mini/runs/small/in-domain/icr.parquet"
    jobs = snakemake("-n", target, *arguments, directory=tmp_path / "parts").jobs
    assert jobs["frozen"] == jobs["gather_frozen"] == 1
    assert not {"features", "train", "rerank", "generate"} & set(jobs)
