"""Sidecars in the ir_metadata schema: sections, what they say of a run, and what they never hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from folders import configuration, results_folder

from headrank.data.trec import read_tag
from headrank.errors import InputError
from headrank.methods.table import METHODS
from headrank.provenance import read_provenance
from headrank.provenance.sidecars import sidecar

SECTIONS = ["platform", "research goal", "implementation", "method", "actor", "data"]


@pytest.fixture
def provenance(tmp_path: Path) -> dict[str, Any]:
    return read_provenance(results_folder(tmp_path / "study"))


def of(method: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    return sidecar(f"runs/small/own/{method}.trec", method, provenance)


def test_sections_stand_in_the_schema_s_order(provenance: dict[str, Any]) -> None:
    told = of("headrank", provenance)
    assert list(told) == ["schema-version", "run-version", "tag", *SECTIONS]
    assert (told["schema-version"], told["tag"]) == (0.1, "headrank")
    assert yaml.safe_load(yaml.safe_dump(told, sort_keys=False)) == told


def test_it_says_what_ranked_what(provenance: dict[str, Any]) -> None:
    first, second = of("headrank", provenance)["method"]["retrieval"]
    assert first == {"name": "first stage", "method": "a given run", "run": "run.bm25.trec"}
    assert second["reranks"] == first["name"]
    assert second["rerankCutoff"] == 40
    assert second["backbone"] == {
        "name": "small",
        "source": "local",
        "sha256": provenance["models"]["small"]["sha256"],
    }
    assert second["arxiv"] == "https://arxiv.org/abs/2604.17237"


def test_metrics_have_trec_evals_names_where_it_has_them(provenance: dict[str, Any]) -> None:
    entries = ["ndcg@5", "rr", "rr@10", {"name": "map", "relevance_level": 2}, "judged@10"]
    provenance["configuration"]["values"]["evaluation"]["metrics"] = entries
    measures = of("headrank", provenance)["research goal"]["evaluation"]["reported measures"]
    assert measures == ["ndcg_cut_5", "recip_rank", "rr@10", "map(rel=2)", "judged@10"]


@pytest.mark.parametrize(
    ("method", "collections"),
    [
        ("icr", []),
        ("rankgpt", []),
        ("core", ["made"]),
        ("headrank-untrained", ["made"]),
        ("headrank", ["made"]),
        ("qrhead-own", ["known"]),
        ("k-2", ["made"]),
    ],
)
def test_training_data_are_what_heads_and_weights_were_learned_from(
    provenance: dict[str, Any], method: str, collections: list[str]
) -> None:
    data = of(method, provenance)["data"]
    assert [spec["name"] for spec in data.get("training data", [])] == collections
    assert data["test collection"]["name"] == "own"
    assert data["test collection"]["sha256"] == provenance["collections"]["own"]["sha256"]


def test_leaked_queries_are_named_beside_what_was_learned_from_them(provenance: dict[str, Any]) -> None:
    keys = ("collection", "qid", "benchmark", "test_qid", "how", "similarity")
    leaks = [("made", "q1", "own", "7", "near", 0.8), ("made", "q2", "other", "8", "near", 0.9)]
    queries = [dict(zip(keys, leak, strict=True)) for leak in leaks]
    provenance["leakage"] = {"action": "allow", "queries": [*queries, queries[0]]}
    told = {"collection": "made", "qid": "q1", "test_qid": "7", "how": "near", "similarity": 0.8}
    assert of("core", provenance)["data"]["leakage"] == {"action": "allow", "queries": [told]}
    # Neither of these learned from the collection.
    assert "leakage" not in of("icr", provenance)["data"]
    assert "leakage" not in of("qrhead-own", provenance)["data"]


def test_variants_say_what_they_change(provenance: dict[str, Any]) -> None:
    stage = of("k-2", provenance)["method"]["retrieval"][-1]
    assert (stage["variant of"], stage["changed settings"]) == ("headrank", {"selection": {"k": 2}})
    assert of("short", provenance)["method"]["retrieval"][-1]["rerankCutoff"] == 10
    baseline = of("qrranker", provenance)["method"]["retrieval"][-1]
    assert (baseline["kind"], baseline["changed settings"]) == ("trained", {"heads": "qrhead"})
    assert "variant of" not in baseline


def test_a_method_on_part_of_the_queries_says_so(provenance: dict[str, Any]) -> None:
    assert of("rankgpt", provenance)["method"]["retrieval"][-1]["queries"] == "the first 2 only"
    assert "queries" not in of("icr", provenance)["method"]["retrieval"][-1]


def test_a_fine_tuned_reranker_is_the_model_of_its_run(provenance: dict[str, Any]) -> None:
    provenance["configuration"]["values"]["backbones"]["small"]["reranker"] = "judge"
    judge = {"source": "hub", "id": "x/judge", "revision": "0" * 40, "sha256": "e" * 64, "files": {}}
    provenance["models"]["judge"] = judge
    told = of("qwen3-reranker", provenance)["method"]["retrieval"][-1]["backbone"]
    del judge["files"]
    assert told == {"name": "judge", **judge}


@pytest.mark.parametrize("method", sorted(name for name, entry in METHODS.items() if not entry.studies_only))
def test_every_method_of_the_catalogue_can_be_described(provenance: dict[str, Any], method: str) -> None:
    assert of(method, provenance)["method"]["retrieval"][-1]["method"] == METHODS[method].about


def test_candidates_are_described_as_the_first_stage_alone(provenance: dict[str, Any]) -> None:
    told = sidecar("collections/made/candidates.trec", "bm25", provenance)
    assert told["method"]["retrieval"] == [
        {"name": "first stage", "method": "BM25, Lucene's variant", "k1": 0.9, "b": 0.4}
    ]
    assert told["method"]["indexing"]["stemmer"]
    assert told["data"]["test collection"]["synthetic"] == {"kind": "in-domain", "seed": 12}
    given = sidecar("collections/own/candidates.trec", "first-stage", provenance)
    assert "indexing" not in given["method"]
    pool = sidecar("detection/candidates.trec", "training", provenance)
    assert [spec["ir_datasets"] for spec in pool["data"]["training data"]] == ["beir/scifact/test"]


def test_the_first_stage_is_the_configured_one(provenance: dict[str, Any]) -> None:
    config = provenance["configuration"]["values"]
    config["first_stage"] |= {"k1": 1.2, "b": 0.7}

    def told() -> dict[str, Any]:
        (stage,) = sidecar("collections/made/first-stage.trec", "x", provenance)["method"]["retrieval"]
        return dict(stage)

    assert (told()["k1"], told()["b"]) == (1.2, 0.7)
    config["first_stage"]["method"] = "dense"
    assert (told()["method"], told()["encoder"]) == ("cosine of dense vectors", "tiny")
    config["collections"]["made"]["first_stage"] = "official"
    assert told()["method"] == "the official candidates of the collection"


def test_nothing_in_it_depends_on_time_or_place(provenance: dict[str, Any], tmp_path: Path) -> None:
    other = json.loads(json.dumps(provenance))
    other["written"], other["time"] = "2031-01-01T00:00:00+00:00", {"rules": {}, "job_seconds": 1.0}
    for method in ("icr", "headrank"):
        assert of(method, other) == of(method, provenance)
        text = yaml.safe_dump(of(method, provenance))
        for place in ("/data", "/models", str(tmp_path), str(Path.home()), str(Path(__file__).parents[3])):
            assert place not in text, place


def test_it_names_no_person(provenance: dict[str, Any]) -> None:
    assert of("headrank", provenance)["actor"] == {"role": "reproducer"}


def test_a_gpu_is_part_of_the_platform(provenance: dict[str, Any]) -> None:
    assert "gpu" not in of("icr", provenance)["platform"]["hardware"] or provenance["machine"]["gpus"]
    provenance["machine"]["gpus"] = [{"name": "G", "memory_gib": 140, "driver": "1.2"}] * 2
    gpu = of("icr", provenance)["platform"]["hardware"]["gpu"]
    assert gpu == {"model": "G", "number of devices": 2, "ram": "140 GB", "driver": "1.2"}


@pytest.mark.parametrize(
    "run", ["runs/small/own/other.trec", "elsewhere/a.trec", "runs/small/own/x/icr.trec"]
)
def test_a_run_that_is_not_the_study_s_is_refused(provenance: dict[str, Any], run: str) -> None:
    with pytest.raises(InputError):
        sidecar(run, "tag", provenance)


def test_a_depth_of_the_backbone_goes_before_the_study_s(tmp_path: Path) -> None:
    spec = {"source": "local", "path": "m", "reranker": None, "headrank": {"candidates": {"depth": 25}}}
    told = read_provenance(results_folder(tmp_path / "other", configuration(backbones={"small": spec})))
    assert of("icr", told)["method"]["retrieval"][-1]["rerankCutoff"] == 25
    assert of("short", told)["method"]["retrieval"][-1]["rerankCutoff"] == 10


def test_the_tag_is_that_of_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("\nq Q0 d 1 2.0 mine\nq Q0 e 2 1.0 mine\n", encoding="utf-8")
    assert read_tag(path) == "mine"
    path.write_text("q Q0 d 1 2.0\n", encoding="utf-8")
    with pytest.raises(InputError, match=":1: expected 6 columns"):
        read_tag(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="the run is empty"):
        read_tag(path)
