"""What the mini world was built to show, each claim with a paired randomisation test over queries."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import configuration

from headrank.heads import HeadSet
from headrank.runs import read_qrels
from headrank.selectivity import gap_test, zone_documents

pytestmark = pytest.mark.mini

CONFIG = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
BACKBONES, BENCHMARKS = list(CONFIG["backbones"]), CONFIG["benchmarks"]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_selection_recovers_the_planted_heads(mini_run: Path, backbone: str) -> None:
    place = mini_run / "results" / "mini"
    truth = json.loads((place / "backbones" / backbone / "planted.json").read_text(encoding="utf-8"))
    planted = {(layer, head) for layer, head, _ in truth["planted_heads"]}
    selected = HeadSet.load(place / "heads" / backbone / "headrank.json").heads
    assert len(selected) == len(planted)
    assert len(planted & set(selected)) / len(planted) >= 0.8


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(
    ("better", "worse"), [("headrank", "core"), ("qrhead", "icr"), ("headrank", "headrank-untrained")]
)
def test_one_method_beats_another_on_the_mean_over_benchmarks(
    mini_run: Path, backbone: str, better: str, worse: str
) -> None:
    tests = pd.read_parquet(mini_run / "results" / "mini" / "metrics" / "significance-main.parquet")
    chosen = (tests["backbone"] == backbone) & (tests["method"] == better) & (tests["baseline"] == worse)
    (row,) = tests[chosen & (tests["benchmark"] == "mean")].to_dict("records")
    assert row["difference"] > 0
    assert row["p_holm"] < 0.05, row


@pytest.mark.parametrize("backbone", BACKBONES)
def test_training_widens_the_selectivity_gap(mini_run: Path, backbone: str) -> None:
    place = mini_run / "results" / "mini"

    def zones(method: str) -> pd.DataFrame:
        parts = []
        for benchmark in BENCHMARKS:
            ranking = pd.read_parquet(place / "runs" / backbone / benchmark / f"{method}.parquet")
            qrels = read_qrels(place / "collections" / benchmark / "qrels.trec")
            parts.append(zone_documents(ranking, qrels).assign(benchmark=benchmark))
        return pd.concat(parts, ignore_index=True)

    result = gap_test(zones("headrank-untrained"), zones("headrank"))
    assert result.after > result.before
    assert result.p < 0.05, result
