"""Where a study's collections, candidates and indexes come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies import study_of

from headrank.workflow.collections import Collections


@pytest.fixture(scope="module")
def paper() -> Collections:
    return study_of("config").collections


def test_what_is_used_is_what_trains_detects_and_tests() -> None:
    mini = study_of().collections
    assert mini.used == ["training", "detection", "in-domain", "other-topics", "long-middle"]
    assert mini.pools == {"training": ["training"], "detection": ["detection"]}
    assert mini.teaches("detection")
    assert not mini.teaches("in-domain")
    assert mini.judgements_of("training") == ["results/mini/collections/training/qrels.trec"]
    assert mini.judgements_of("in-domain") == []


def test_a_collection_has_a_source(paper: Collections, tmp_path: Path) -> None:
    mini = study_of().collections
    assert mini.spec("training") == {"source": "local", "path": "results/mini/synthetic/training"}
    assert mini.fetched("training") == []
    assert mini.files_of("training", ["qrels.trec"]) == ["results/mini/synthetic/training/qrels.trec"]
    assert paper.spec("dl19") == {"source": "ir_datasets", "id": paper.config["collections"]["dl19"]["id"]}
    assert paper.fetched("dl19") == ["results/paper/collections/dl19/source.json"]
    assert paper.files_of("dl19", ["qrels.trec"]) == []


def test_a_packed_file_is_taken_where_it_is_the_only_one(tmp_path: Path) -> None:
    local = {"source": "local", "path": str(tmp_path)}
    collections = study_of(
        collections={"c": local}, train_on=["c"], panel=["c"], without=("detect_on",), methods=["headrank-untrained"],
        evaluation={"baseline": "bm25"}, clock={},
    ).collections  # fmt: skip
    (tmp_path / "corpus.jsonl.gz").touch()
    assert collections.files_of("c", ["corpus.jsonl"]) == [f"{tmp_path}/corpus.jsonl.gz"]
    (tmp_path / "corpus.jsonl").touch()
    assert collections.files_of("c", ["corpus.jsonl"]) == [f"{tmp_path}/corpus.jsonl"]


def test_collections_with_the_same_documents_share_an_index(paper: Collections) -> None:
    assert paper.index_of("dl20") == paper.index_of("dl19") == "results/paper/indexes/dl19/bm25"
    assert paper.first_stages["dl21"] == "official"
    assert paper.index_of("dl21") is None
    assert "dl21" in paper.staged("official")


def test_training_queries_keep_what_lists_draw_from(paper: Collections) -> None:
    assert paper.first_stage_depth("dl19") == 40
    assert paper.first_stage_depth("dl21") == 100
    # As deep as published figures are compared at, where there are any.
    assert paper.check_depth("dl19") == 100
    assert study_of().collections.check_depth("training") == 1


def test_the_first_stage_has_the_name_of_bm25_only_where_it_ranked_every_benchmark(
    paper: Collections,
) -> None:
    panel = paper.config["panel"]
    assert paper.first_stage_title(panel) == "BM25"
    # The training queries' candidates are official ones.
    assert paper.first_stage_title([*panel, "dl21"]) == "First stage"
    # Runs from elsewhere: one study has SPLADE's among them, the other says that all are BM25's.
    for name, title in (("pretrained", "First stage"), ("pretrained-quick", "BM25")):
        study = study_of(name)
        assert study.collections.first_stage_title(study.panel) == title
