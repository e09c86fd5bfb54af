"""The graph of jobs of each study. Jobs are counted, for exit status 0 proves nothing: nothing to do is a success."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from conftest import CONFIGURATIONS, REPOSITORY, configuration, snakemake

pytestmark = pytest.mark.slow


def expected_jobs(name: str) -> dict[str, int]:
    """Jobs by rule, counted from the configuration alone."""
    config = yaml.safe_load(configuration(name).read_text(encoding="utf-8"))
    collections = len(config["collections"])
    sources = [spec["source"] for spec in config["collections"].values()]
    backbones = [spec["source"] for spec in config["backbones"].values()]
    rerankers = config.get("rerankers", {})
    judged = [b for b in config["backbones"].values() if b.get("reranker") or not rerankers]
    ablation = config.get("ablation", {})
    shown = {*ablation.get("variants", []), *ablation.get("queries", [])}
    seeds = config.get("seeds", [])
    each, shared = (
        1 + len(seeds) + len(config.get("trained_baselines", {})),
        config.get("adapters_per_job", 1),
    )
    jobs_of_trained = len(backbones) * math.ceil(each / shared) + math.ceil(len(shown) / shared)
    indexed = [
        spec
        for spec in config["collections"].values()
        if not (spec.get("run") or spec.get("corpus") or spec.get("first_stage") == "official")
    ]
    routed = "routehead" in config.get("methods", [])
    generative = config.get("generative", {}).get("methods", [])
    pools = 1 + bool(config.get("detect_on"))
    clocked = bool(config.get("clock", {}).get("queries"))
    injected = bool(config.get("injection", {}).get("queries"))
    panels = [set(spec.get("panel", config["panel"])) for spec in config["backbones"].values()]
    moved = len(set.intersection(*panels)) > 1
    extra = bool(ablation.get("variants")), bool(ablation.get("queries"))
    jobs = {
        "synthesize": sources.count("synthetic"),
        "fetch_collection": sources.count("ir_datasets"),
        "collection": collections,
        "index": len(indexed),
        "first_stage": 1,
        "retrieve": collections,
        "passages": collections,
        "training_set": pools,
        "plant_backbone": backbones.count("planted"),
        "plant_realtext": backbones.count("realtext"),
        "fetch_backbone": backbones.count("hub") + len(rerankers),
        "leakage": 1,
        "lists": pools,
        "features": (pools if shared == 1 else 1) * len(backbones),
        "detect": len(backbones),
        "route": routed * len(backbones),
        "select": jobs_of_trained,
        "mine": jobs_of_trained,
        "train": jobs_of_trained,
        "frozen": len(backbones),
        "rerank": jobs_of_trained,
        "generate": bool(generative) * len(backbones),
        "judge": ("qwen3-reranker" in generative and bool(rerankers)) * len(judged),
        "evaluate": 2 + sum(extra) + bool(seeds),
        "significance": 3 + extra[0],
        "selectivity": 1 + extra[0],
        "homogenisation": 1,
        "head_map": 1,
        "depth": len(backbones),
        "controls": len(backbones),
        "transfer": moved * len(backbones),
        "routes": int(routed),
        "curves": 1,
        "query_curve": int(extra[1]),
        "cost": 1,
        "formatting": 1,
        "timing": 1,
        "claims": 1,
        "clock": clocked * len(backbones),
        "inject": injected * len(backbones),
        "table": 11 + moved + extra[0] + bool(seeds) + clocked + injected,
        "figure": 9 + extra[1] + routed + bool(generative) + clocked,
        "provenance": 1,
        "sidecars": 1,
        "manifest": 1,
        "all": 1,
    }
    jobs["total"] = sum(jobs.values())
    return {rule: number for rule, number in jobs.items() if number}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_job_of_a_study_is_planned(name: str, tmp_path: Path, empty_data: Path) -> None:
    done = snakemake(
        "-n", "--configfile", configuration(name), directory=tmp_path, HEADRANK_DATA=str(empty_data)
    )
    assert done.code == 0, done.err[-2000:]
    assert done.jobs == expected_jobs(name)


def test_a_backbone_may_have_fewer_trained_baselines(tmp_path: Path, empty_data: Path) -> None:
    config = yaml.safe_load(configuration("config").read_text(encoding="utf-8"))
    largest = list(config["backbones"])[-1]
    config["backbones"][largest]["trained_baselines"] = []
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    done = snakemake("-n", "--configfile", path, directory=tmp_path, HEADRANK_DATA=str(empty_data))
    assert done.code == 0, done.err[-2000:]
    whole, fewer = expected_jobs("config"), len(config["trained_baselines"])
    for rule in ("select", "mine", "train", "rerank"):
        assert done.jobs[rule] == whole[rule] - fewer


def test_the_paper_has_its_211_training_queries_and_three_scales() -> None:
    config = yaml.safe_load(configuration("config").read_text(encoding="utf-8"))
    assert config["train_on"] == ["dl21", "dl22", "dl23"]
    assert [config["collections"][name]["judged"] for name in config["train_on"]] == [53, 76, 82]
    assert len(config["seeds"]) + 1 == 3
    assert list(config["backbones"]) == ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b"]
    assert len(config["panel"]) == 16
    assert {name: len(set(members)) for name, members in config["averages"].items()} == {
        "core14": 14,
        "open14": 14,
    }
    assert set(config["averages"]["core14"]) == set(config["panel"]) - {"dl19", "dl20"}
    assert set(config["averages"]["open14"]) == set(config["panel"]) - {"msmarco", "quora"}


def test_the_catalogue_agrees_with_what_the_configuration_says_of_its_collections() -> None:
    ir_datasets = pytest.importorskip("ir_datasets")
    for name in ("config", "quick"):
        config = yaml.safe_load(configuration(name).read_text(encoding="utf-8"))
        for spec in config["collections"].values():
            stated = ir_datasets.load(spec["id"]).metadata()
            assert spec["judged"] == stated["queries"]["count"], spec["id"]
            if "documents" in spec:
                assert spec["documents"] == stated["docs"]["count"], spec["id"]
            if "corpus" in spec:
                other = config["collections"][spec["corpus"]]["id"]
                assert ir_datasets.docs_parent_id(spec["id"]) == ir_datasets.docs_parent_id(other)


def test_the_download_stage_is_all_that_needs_a_network(tmp_path: Path) -> None:
    done = snakemake("-n", "download", "--configfile", configuration("config"), directory=tmp_path)
    assert done.code == 0, done.err[-2000:]
    config = yaml.safe_load(configuration("config").read_text(encoding="utf-8"))
    models = len(config["backbones"]) + len(config["rerankers"])
    jobs = {"fetch_collection": len(config["collections"]), "fetch_backbone": models, "download": 1}
    assert done.jobs == jobs | {"total": sum(jobs.values())}


def test_a_dense_first_stage_takes_an_encoder_and_no_bm25_index(tmp_path: Path) -> None:
    config = yaml.safe_load(configuration("quick").read_text(encoding="utf-8"))
    full = yaml.safe_load(configuration("config").read_text(encoding="utf-8"))
    config |= {
        "encoders": full["encoders"],
        "first_stage": {"method": "dense", "encoder": "granite-embedding-30m"},
    }
    path = tmp_path / "dense.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    jobs = snakemake("-n", "--configfile", path, directory=tmp_path).jobs
    assert jobs["embed"] == 3  # DL 2020 shares the vectors of DL 2019
    assert jobs["retrieve_dense"] == 4
    assert "retrieve" not in jobs
    assert "index" not in jobs
    assert jobs["fetch_backbone"] == 2


def test_without_a_configuration_file_the_study_is_the_paper() -> None:
    done = snakemake("-n")
    assert done.code == 0, done.err[-2000:]
    assert done.jobs == expected_jobs("config")
    assert "results/paper/" in done.out


def test_a_configuration_file_replaces_the_default_one(tmp_path: Path) -> None:
    done = snakemake("-n", "--configfile", configuration("mini"), directory=tmp_path)
    assert "results/mini/" in done.out
    assert "paper" not in done.out
    assert "qwen3-0.6b" not in done.out


def test_the_top_level_snakefile_and_the_workflow_are_one(tmp_path: Path) -> None:
    arguments = ("-n", "--configfile", configuration("mini"))
    through = snakemake(*arguments, directory=tmp_path)
    direct = snakemake(*arguments, "-s", REPOSITORY / "workflow" / "Snakefile", directory=tmp_path)
    assert through.jobs == direct.jobs


def test_a_single_artefact_plans_only_what_it_needs(tmp_path: Path) -> None:
    # The target stands first: --configfile takes every word after it for a file.
    target = "results/mini/figures/heads.pdf"
    jobs = snakemake("-n", target, "--configfile", configuration("mini"), directory=tmp_path).jobs
    assert jobs["head_map"] == jobs["figure"] == 1
    # HeadRank's own heads and those of the trained baselines by one job a backbone, and none of the variants.
    assert jobs["select"] == 3
    assert jobs["detect"] == jobs["route"] == 3
    assert not {"train", "mine", "rerank", "frozen", "table", "manifest", "all"} & set(jobs)


@pytest.mark.parametrize(
    ("methods", "baseline", "absent"),
    [
        (["headrank-untrained"], "bm25", {"detect", "route", "routes", "generate"}),
        (["core", "headrank-untrained"], "core", {"route", "routes", "generate"}),
    ],
)
def test_a_study_of_few_methods_has_no_jobs_for_others(
    tmp_path: Path, methods: list[str], baseline: str, absent: set[str]
) -> None:
    config = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
    for key in ("generative", "trained_baselines", "detect_on"):
        del config[key]
    config |= {"methods": methods, "evaluation": {"baseline": baseline}}
    path = tmp_path / "few.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = snakemake("-n", "--configfile", path, directory=tmp_path)
    assert done.code == 0, done.err[-2000:]
    assert not absent & set(done.jobs)
    assert done.jobs["frozen"] == 3


def test_a_fine_tuned_reranker_is_fetched_for_the_method_that_needs_it(tmp_path: Path) -> None:
    config = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
    config["rerankers"] = {"tuned": {"source": "hub", "id": "x/tuned", "revision": "0" * 40}}
    config["backbones"]["small"]["reranker"] = "tuned"
    path = tmp_path / "tuned.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = snakemake("-n", "--configfile", path, directory=tmp_path)
    assert done.code == 0, done.err[-2000:]
    assert done.jobs["fetch_backbone"] == done.jobs["judge"] == 1
    config["generative"]["methods"].remove("qwen3-reranker")
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert "fetch_backbone" not in snakemake("-n", "--configfile", path, directory=tmp_path).jobs


def test_the_target_bench_measures_and_shows_and_is_no_part_of_the_study(tmp_path: Path) -> None:
    config = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
    config["bench"] = {"n": [3], "words": 5, "rounds": 1, "depths": [0.5, 1.0], "methods": ["forward"]}
    config["bench"] |= {"backbones": ["quick"], "growth": ["depth"]}
    path = tmp_path / "bench.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = snakemake("bench", "--cores", "2", "--configfile", path, directory=tmp_path)
    assert done.code == 0, done.err[-2000:]
    assert done.jobs == {"measure": 1, "grow": 1, "table": 2, "figure": 2, "bench": 1, "total": 7}
    results = tmp_path / "results" / "mini"
    for name in ("speed", "growth"):
        assert (results / "figures" / f"{name}.pdf").stat().st_size > 1000
    assert (results / "tables" / "growth.csv").read_text(encoding="utf-8").count("depth") == 1
    table = (results / "tables" / "speed.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 1 + 4  # HeadRank and the plain pass, at two depths
    assert (results / "bench" / "quick.csv").exists()
    assert (results / "bench" / "quick.json").exists()


def test_adapters_share_jobs_and_a_new_one_leaves_most_as_they_are(tmp_path: Path) -> None:
    config = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
    file = tmp_path / "study.yaml"

    def planned(**changes: object) -> list[tuple[str, set[str]]]:
        """(backbone, adapters) of each training job."""
        file.write_text(yaml.safe_dump(config | changes, sort_keys=False), encoding="utf-8")
        done = snakemake("-n", "--configfile", file, directory=tmp_path)
        assert done.code == 0, done.err[-2000:]
        jobs = re.findall(r"^rule train(?:_\d+)?:\n((?: {4}.*\n)+)", done.out, re.MULTILINE)
        found = [
            re.findall(r"adapters/([\w-]+)/([\w-]+)/adapter_model", job.split("output:")[1]) for job in jobs
        ]
        return [(places[0][0], {name for _, name in places}) for places in found]

    alone, three = planned(adapters_per_job=1), planned()
    assert len(alone) == 15
    assert all(len(names) == 1 for _, names in alone)
    assert len(three) == 5
    assert {(b, n) for b, names in three for n in names} == {(b, n) for b, names in alone for n in names}
    more = {**config["trained_baselines"], "another": {"loss": {"beta": 1.0}}}
    added = planned(trained_baselines=more)
    assert all(job in added for job in three)
    assert [names for _, names in added if "another" in names] == [{"another"}] * 3
