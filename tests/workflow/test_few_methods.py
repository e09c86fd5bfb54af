"""A study may be small: one method, one collection and one backbone, without training."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import configuration, snakemake
from small_study import write_study

pytestmark = pytest.mark.slow

MINI = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
SMALL = MINI["backbones"]["small"]
TABLES = ("main", "fused", "first_stage", "cost", "format", "timing")


def written(directory: Path, **changes: Any) -> Path:
    """A study of one method on one small collection."""
    config = {key: MINI[key] for key in ("name", "device", "dtype", "threads")}
    config |= {
        "collections": {"test": {"source": "synthetic", "synthetic": {"kind": "in-domain", "seed": 12, "queries": 12}}},
        "panel": ["test"],
        "backbones": {"small": SMALL},
        "methods": ["icr"],
    }  # fmt: skip
    path = directory / "study.yaml"
    path.write_text(yaml.safe_dump(config | changes, sort_keys=False), encoding="utf-8")
    return path


def test_one_method_on_one_local_collection_plans_what_it_can_fill(tmp_path: Path) -> None:
    local = {"c": {"source": "local", "path": "c"}}
    path = write_study(
        tmp_path, SMALL, collections=local, train_on=[], methods=["icr"], evaluation={}, headrank={}
    )
    data = str(tmp_path / "data")
    done = snakemake("-n", "--configfile", path, directory=tmp_path, HEADRANK_DATA=data)
    assert done.code == 0, done.err[-2000:]
    assert done.jobs == {
        **dict.fromkeys(("collection", "index", "retrieve", "passages", "first_stage"), 1),
        **{"plant_backbone": 1, "frozen": 1, "evaluate": 2, "significance": 2},
        **dict.fromkeys(("cost", "formatting", "timing", "provenance", "sidecars", "manifest", "all"), 1),
        # The main results at a glance.
        **{"figure": 1, "table": len(TABLES), "total": 19 + len(TABLES)},
    }
    for name in TABLES:
        assert f"tables/{name}.csv" in done.out


@pytest.mark.parametrize("shared", [1, 3])
def test_heads_are_detected_without_training(tmp_path: Path, shared: int) -> None:
    path = written(
        tmp_path,
        collections={name: MINI["collections"][name] for name in ("training", "in-domain")},
        train_on=["training"],
        panel=["in-domain"],
        methods=["icr", "core"],
        adapters_per_job=shared,
    )
    done = snakemake("-n", "--configfile", path, directory=tmp_path)
    assert done.code == 0, done.err[-2000:]
    assert done.jobs["lists"] == done.jobs["features"] == done.jobs["detect"] == 1
    assert done.jobs["head_map"] == 1
    # The heads, and the main results at a glance.
    assert done.jobs["figure"] == 2
    assert not {"select", "mine", "train", "rerank", "claims", "controls", "depth", "curves"} & set(done.jobs)
    # What the study compares with is CoRe, as it is there.
    assert "figures/head_maps.pdf" in done.out


def test_a_study_of_one_method_runs(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        clock={"queries": 1, "threads": 1},
        injection={"queries": 2},
        generative={"methods": ["yes-no"], "queries": 1},
    )
    done = snakemake("--cores", "2", "--configfile", path, directory=tmp_path)
    assert done.code == 0, done.err[-4000:]
    results = tmp_path / "results" / "mini"
    shown = {file.stem for file in (results / "tables").glob("*.csv")}
    assert shown == {*TABLES, "frontier", "injection"}
    assert {file.stem for file in (results / "figures").glob("*.pdf")} == {"frontier", "main"}
    with (results / "tables" / "main.csv").open(encoding="utf-8", newline="") as file:
        methods = [row["method"] for row in csv.DictReader(file)]
    assert {"bm25", "icr"} <= set(methods)
    with (results / "tables" / "injection.csv").open(encoding="utf-8", newline="") as file:
        attacked = {row["method"]: row["lists"] for row in csv.DictReader(file)}
    assert attacked == {"icr": "2", "yes-no": "2"}
    tests = pd.read_parquet(results / "metrics" / "significance-main.parquet")
    assert set(zip(tests["method"], tests["baseline"], strict=True)) == {("icr", "bm25")}
    cost = pd.read_parquet(results / "metrics" / "cost.parquet").set_index("method")
    # The whole model, and all of its heads.
    assert cost.loc["icr", "layers_run"] == SMALL["planted"]["layers"]
    assert cost.loc["icr", "heads"] == SMALL["planted"]["layers"] * SMALL["planted"]["heads"]
    assert not any((results / name).exists() for name in ("adapters", "features", "heads", "lists", "pairs"))
