"""What a model job writes in one piece, and in shards."""

from __future__ import annotations

from studies import study_of

from headrank.workflow.shards import Shards

RUN = "results/mini/runs/{backbone}/in-domain/icr.trec"


def test_without_shards_a_job_writes_whole_files() -> None:
    shards = Shards(study_of())
    assert shards.part(RUN) == RUN
    assert shards.own({"runs": [RUN]}) == {"runs": [RUN]}
    assert shards.log("logs/mini/frozen/{backbone}.log") == "logs/mini/frozen/{backbone}.log"
    assert shards.number({"backbone": "small"}) == [0, 1]
    # Nothing has parts, and what would put them together writes elsewhere.
    assert shards.whole({"runs": [RUN]}) == {"runs": [RUN.replace("mini/", "mini/shards/")]}


def test_each_shard_writes_parts_and_logs_of_its_own() -> None:
    shards = Shards(study_of(shards=2))
    part = "results/mini/shards/{shard}/runs/{backbone}/in-domain/icr.trec"
    assert shards.part(RUN) == part
    assert shards.own({"runs": [RUN]}) == {"runs": [part]}
    assert shards.log("logs/mini/frozen/{backbone}.log") == "logs/mini/frozen/{shard}/{backbone}.log"
    assert shards.number({"shard": "2-of-2"}) == [1, 2]
    assert shards.whole({"runs": [RUN]}) == {"runs": [RUN]}


def test_parts_are_listed_shard_by_shard() -> None:
    place = "results/mini/shards/{}/runs/b"
    whole = {"runs": ["results/mini/runs/b/x.trec"], "rankings": ["results/mini/runs/b/x.parquet"]}
    assert Shards(study_of(shards=2)).parts(whole) == [
        f"{place.format(shard)}/x.{ending}"
        for shard in ("1-of-2", "2-of-2")
        for ending in ("trec", "parquet")
    ]
