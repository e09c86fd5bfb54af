"""What the mini world was built to show, each claim with a paired randomisation test over queries."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import configuration

from headrank.data.collections import open_collection, read_passages
from headrank.data.trec import read_qrels, read_run
from headrank.engine.backbone import load_backbone
from headrank.evaluation.selectivity import gap_test, zone_documents
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import gather_candidates, headrank, rerank_together
from headrank.settings import Settings

pytestmark = pytest.mark.mini

CONFIG = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
BACKBONES, BENCHMARKS = list(CONFIG["backbones"]), CONFIG["panel"]


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
@pytest.mark.parametrize("method", ["qrhead", "qrhead-ndcg", "core"])
def test_every_criterion_finds_the_planted_heads(mini_run: Path, backbone: str, method: str) -> None:
    place = mini_run / "results" / "mini"
    truth = json.loads((place / "backbones" / backbone / "planted.json").read_text(encoding="utf-8"))
    planted = {(layer, head) for layer, head, _ in truth["planted_heads"]}
    chosen = HeadSet.load(place / "heads" / backbone / f"{method}.json").heads
    assert len(planted & set(chosen)) / len(planted) >= 0.75


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_band_of_layers_holds_planted_heads_and_ranks_above_all_layers(
    mini_run: Path, backbone: str
) -> None:
    place = mini_run / "results" / "mini"
    truth = json.loads((place / "backbones" / backbone / "planted.json").read_text(encoding="utf-8"))
    layers = {layer for layer, _, _ in truth["planted_heads"]}
    band = {layer for layer, _ in HeadSet.load(place / "heads" / backbone / "selective-icr.json").heads}
    assert band <= layers
    metrics = pd.read_parquet(place / "metrics" / "main.parquet")
    mine = metrics[metrics["backbone"] == backbone].groupby("method")["value"].mean()
    assert mine["selective-icr"] > mine["icr"]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_truncation_changes_no_ranking(mini_run: Path, backbone: str) -> None:
    """The trained adapter on the whole backbone ranks as it does on the layers that the study kept."""
    place, name = mini_run / "results" / "mini", "long-middle"
    folder = place / "adapters" / backbone / "headrank"
    description = json.loads((folder / "headrank_config.json").read_text(encoding="utf-8"))
    settings = Settings.from_mapping(description["settings"])
    heads = HeadSet.load(folder / "heads.json")
    whole = load_backbone(place / "backbones" / backbone, adapter=folder)
    assert heads.depth < whole.depth == heads.n_layers
    collection = open_collection(name, {"source": "local", "path": str(place / "collections" / name)})
    run = read_run(place / "collections" / name / "candidates.trec")
    passages = read_passages(place / "collections" / name / "passages.jsonl")
    candidates = gather_candidates(collection.queries(), run, passages, settings.candidates.depth)[:10]
    builder = PromptBuilder(whole.tokenizer, settings.prompt)
    method = headrank(heads, settings)
    found = rerank_together(whole, builder, [method], candidates, settings.candidates.order)["headrank"]
    kept = pd.read_parquet(place / "runs" / backbone / name / "headrank.parquet")
    kept = kept[kept["qid"].isin(set(found["qid"]))].reset_index(drop=True)
    assert kept[["qid", "docid", "rank"]].equals(found[["qid", "docid", "rank"]])
    assert (kept["score"] - found["score"]).abs().max() <= 1e-5


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
