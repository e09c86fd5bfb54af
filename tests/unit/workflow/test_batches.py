"""Adapters that share a job: which, what their files and rules are called, and what a job is told of each."""

from __future__ import annotations

from studies import study_of

from headrank.workflow.batches import Batch, batches, pools


def test_by_default_one_rule_has_every_adapter_as_a_wildcard() -> None:
    (batch,) = batches(study_of(adapters_per_job=1))
    assert batch.rule("train") == "train"
    assert batch.title == "{variant}"
    assert batch.files("adapters/{backbone}/{variant}/heads.json") == [
        "adapters/{backbone}/{variant}/heads.json"
    ]
    assert batch.served({"backbone": "small", "variant": "headrank"}) == ["headrank"]


def test_adapters_that_share_a_job_have_rules_of_their_own() -> None:
    found = batches(study_of(adapters_per_job=2))
    # Those of all backbones, those of the ablation's alone.
    assert [batch.names for batch in found] == [
        ("headrank", "qrranker"),
        ("comprank",),
        ("core-heads", "random-pairs"),
        ("no-regulariser", "k-2"),
        ("queries-53", "queries-106"),
    ]
    assert [batch.rule("mine") for batch in found] == [f"mine_{number}" for number in range(1, 6)]
    assert [batch.title for batch in found[:2]] == ["headrank-and-1-more", "comprank"]
    assert found[0].files("heads/{backbone}/{variant}.json") == [
        "heads/{backbone}/headrank.json",
        "heads/{backbone}/qrranker.json",
    ]


def test_a_variant_that_nothing_shows_has_a_job_apart() -> None:
    variants = {"shown": {}, "hidden": {}}
    study = study_of(adapters_per_job=9, variants=variants, ablation={"variants": ["shown"]})
    assert [batch.names for batch in batches(study)][1:] == [("shown",), ("hidden",)]


def test_a_job_is_told_of_each_that_it_serves() -> None:
    both = Batch(("a", "b"), number=1)
    assert both.each(lambda backbone, name: f"{backbone}/{name}")({"backbone": "small"}) == {
        "a": "small/a",
        "b": "small/b",
    }
    alone = Batch(("{variant}",))
    assert alone.each(lambda _, name: len(name))({"backbone": "small", "variant": "abc"}) == {"abc": 3}


def test_one_job_reads_all_pools_where_adapters_share_jobs() -> None:
    assert pools(study_of(adapters_per_job=2)).files("lists/{pool}.parquet") == [
        "lists/training.parquet",
        "lists/detection.parquet",
    ]
    assert pools(study_of(adapters_per_job=1)).files("lists/{pool}.parquet") == ["lists/{pool}.parquet"]
