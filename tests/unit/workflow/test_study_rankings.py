"""What jobs that rank read and write."""

from __future__ import annotations

from studies import study_of

from headrank.workflow.rankings import Rankings

PLACE = "results/mini/runs/{backbone}"


def test_a_ranking_is_a_run_and_a_table_for_every_benchmark() -> None:
    found = Rankings(study_of(panel=["in-domain", "other-topics"])).of(["icr", "core"])
    cells = [f"{PLACE}/{d}/{m}" for d in ("in-domain", "other-topics") for m in ("icr", "core")]
    assert found == {
        "runs": [f"{cell}.trec" for cell in cells],
        "rankings": [f"{cell}.parquet" for cell in cells],
    }


def test_a_pass_over_the_frozen_backbone_leaves_masses_and_routes_too() -> None:
    study = study_of()
    found = Rankings(study).frozen
    assert len(found["runs"]) == len(found["rankings"]) == len(study.frozen) * len(study.panel)
    assert found["masses"] == [f"{PLACE}/{d}/masses.safetensors" for d in study.panel]
    assert found["routes"] == [f"{PLACE}/{d}/routes.parquet" for d in study.panel]


def test_answers_are_kept_beside_the_rankings() -> None:
    rankings = Rankings(study_of(panel=["in-domain"]))
    assert rankings.answered(["first"])["calls"] == [f"{PLACE}/in-domain/first.calls.jsonl.gz"]
    # A rule without outputs would be an error, also in a study that never asks for them.
    assert all(rankings.answered([]).values())


def test_every_benchmark_is_read() -> None:
    read = Rankings(study_of()).benchmarks
    assert set(read) == {"queries", "candidates", "passages"}
    assert read["candidates"][0] == "results/mini/collections/in-domain/candidates.trec"
    assert {len(files) for files in read.values()} == {3}
