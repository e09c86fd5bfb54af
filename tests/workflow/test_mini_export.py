"""What others take over from the mini study: a crate of all of it, and an adapter with its results."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import configuration
from huggingface_hub import ModelCard
from rocrate.rocrate import ROCrate

from headrank import Reranker
from headrank.cli import main

pytestmark = pytest.mark.mini

CONFIG = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))


def test_the_whole_study_is_a_crate(mini_run: Path, tmp_path: Path) -> None:
    results, output = mini_run / "results" / "mini", tmp_path / "crate.zip"
    given = ("--license", "CC-BY-4.0", "--output", str(output))
    assert main(["export", "--crate", str(results), *given]) == 0
    described = {entity.id for entity in ROCrate(output).get_by_type("File")}
    for pattern in (
        "tables/*",
        "figures/*",
        "runs/*/*/*.trec",
        "runs/*/*/*.trec.yaml",
        "heads/*/*",
        "metrics/*.parquet",
    ):
        found = {path.relative_to(results).as_posix() for path in results.glob(pattern) if path.is_file()}
        assert found, pattern
        assert found - described == set(), pattern
    assert not any(name.startswith(("backbones/", "collections/", "adapters/")) for name in described)


def test_an_adapter_is_exported_with_its_results(
    mini_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mini_run)
    given = ("--study", "results/mini", "--license", "apache-2.0", "--output", str(tmp_path / "out"))
    assert main(["export", "--adapter", "results/mini/adapters/small/headrank", *given]) == 0
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert {result.dataset_name for result in card.data.eval_results or []} == set(CONFIG["panel"])
    assert "these numbers say nothing about real" in card.text
    assert "| mean of the benchmarks |" in card.text
    assert "No training query is a test query too" in card.text
    Reranker.load(tmp_path / "out", "results/mini/backbones/small", check=True)
