"""What the mini run says of itself: its origin, a sidecar beside every run, and a manifest that holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY, configuration, snakemake

from headrank.cli import main
from headrank.data.trec import read_tag
from headrank.provenance import read_provenance
from headrank.provenance.manifest import check_manifest, read_manifest
from headrank.provenance.record import EXPORTED, configuration_digest

pytestmark = pytest.mark.mini

CONFIG = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))


@pytest.fixture
def results(mini_run: Path) -> Path:
    return mini_run / "results" / "mini"


@pytest.fixture
def told(results: Path) -> dict[str, Any]:
    return read_provenance(results)


def test_the_commit_is_known_or_said_to_be_unknown(told: dict[str, Any]) -> None:
    head = subprocess.run(
        ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    known = (REPOSITORY / ".git").exists() and head.returncode == 0
    assert told["code"]["commit"] == (head.stdout.strip() if known else "unknown")
    assert isinstance(told["code"]["dirty"], bool) is known
    assert len(told["code"]["sha256"]) == 64
    assert told["code"]["library"]["same_as_source"]


def test_nothing_that_the_study_used_is_left_out(told: dict[str, Any], results: Path) -> None:
    assert set(told["models"]) == set(CONFIG["backbones"])
    assert set(told["collections"]) == set(CONFIG["collections"])
    assert all(set(spec["sha256"]) == set(EXPORTED) for spec in told["collections"].values())
    assert all(told["software"]["packages"].values())
    assert told["energy"]["joules"] is None
    assert told["energy"]["reason"]
    values = told["configuration"]["values"]
    # As given, and with its defaults.
    assert values["headrank"]["pairs"]["per_list"] == CONFIG["headrank"]["pairs"]["per_list"]
    assert values["headrank"]["candidates"]["depth"] > 0
    assert told["configuration"]["sha256"] == configuration_digest(values)
    jobs = {rule: spec["jobs"] for rule, spec in told["time"]["rules"].items()}
    benchmarks = [path.relative_to(results / "benchmarks") for path in results.rglob("benchmarks/**/*.tsv")]
    late = {"provenance", "sidecars", "manifest", "summary"}
    assert late.isdisjoint(jobs)
    assert sum(jobs.values()) == sum(path.parts[0].removesuffix(".tsv") not in late for path in benchmarks)


def test_the_manifest_holds_and_covers_weights_features_runs_and_tables(results: Path) -> None:
    assert check_manifest(results).sound
    listed = set(read_manifest(results / "manifest.sha256"))
    needed = ("backbones/*/*.safetensors", "adapters/*/*/*.safetensors", "routers/*/*", "features/*/*")
    for pattern in (*needed, "runs/*/*/*", "metrics/*.parquet", "tables/*", "figures/*", "heads/*/*"):
        found = {path.relative_to(results).as_posix() for path in results.glob(pattern) if path.is_file()}
        assert found, pattern
        assert found <= listed, pattern


def test_every_run_has_a_sidecar_that_agrees_with_it(results: Path, told: dict[str, Any]) -> None:
    runs = sorted(path for path in results.rglob("*.trec") if path.name != "qrels.trec")
    assert len(runs) > 100
    assert {f"{run}.yaml" for run in runs} == {str(path) for path in results.rglob("*.trec.yaml")}
    for run in runs:
        text = run.with_name(f"{run.name}.yaml").read_text(encoding="utf-8")
        assert str(REPOSITORY) not in text
        assert str(results) not in text
        content = yaml.safe_load(text)
        assert content["tag"] == read_tag(run)
        assert content["implementation"]["source"]["commit"] == told["code"]["commit"]
        assert not any(line.startswith("#") for line in run.read_text(encoding="utf-8").splitlines())
        if "runs" in run.relative_to(results).parts:
            stage = content["method"]["retrieval"][-1]
            assert stage["name"] == run.stem
            backbone = run.parts[-3]
            assert stage["backbone"]["sha256"] == told["models"][backbone]["sha256"]
            assert content["data"]["test collection"]["name"] == run.parts[-2]


def test_sidecars_and_provenance_rerun_nothing_else(mini_run: Path) -> None:
    arguments = ("--configfile", configuration("mini"), "--forcerun", "provenance")
    done = snakemake("-n", *arguments, directory=mini_run)
    assert done.jobs == {"provenance": 1, "sidecars": 1, "manifest": 1, "all": 1, "total": 4}


def test_a_copy_is_the_same_until_a_byte_of_it_changes(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    provenance = json.loads((copy / "provenance.json").read_text(encoding="utf-8"))
    provenance["machine"]["memory_gib"] = 1
    (copy / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    assert main(["diff", str(results), str(copy)]) == 0
    weights = next(copy.glob("backbones/*/model.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0x80
    weights.write_bytes(content)
    capsys.readouterr()
    assert main(["diff", str(results), str(copy)]) == 1
    assert "1 of" in capsys.readouterr().out
    assert main(["check", str(copy)]) == 5
    assert f"changed: {weights.relative_to(copy).as_posix()}" in capsys.readouterr().out
