"""The first stage beside published figures: seven BEIR runs and three TREC DL runs that are known to be right."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from headrank.data.trec import read_qrels, read_run
from headrank.errors import InputError
from headrank.retrieval.published_check import check_first_stage, measure_first_stage
from headrank.tables.first_stage import first_stage_table

# nDCG@10 and recall@100 of Pyserini's two-click reproductions of BM25 over flat indexes.
PUBLISHED = {
    "dbpedia-entity": (0.3180, 0.4682),
    "nfcorpus": (0.3218, 0.2457),
    "scifact": (0.6789, 0.9253),
    "signal1m": (0.3304, 0.3703),
    "trec-covid": (0.5947, 0.1091),
    "trec-news": (0.3952, 0.4469),
    "webis-touche2020": (0.4422, 0.5822),
}
QRELS = {"a": {"x": 1, "y": 0}, "b": {"x": 2}}
RUN = {"a": [("y", 3.0), ("x", 2.0)], "b": [(f"n{i}", 1.0 / (i + 1)) for i in range(120)]}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_runs_come_out_as_published(shared_data: Path, name: str) -> None:
    place = shared_data / "bm25-runs"
    published = dict(zip(("ndcg", "recall"), PUBLISHED[name], strict=True))
    run, qrels = read_run(place / f"run.{name}.trec"), read_qrels(place / f"qrels.{name}.trec")
    check_first_stage(measure_first_stage(name, run, qrels, published, "run"), 0.0001)
    # And it is noticed when a tenth of the queries is lost.
    kept = {qid: ranked for i, (qid, ranked) in enumerate(run.items()) if i % 10}
    with pytest.raises(InputError, match=name):
        check_first_stage(measure_first_stage(name, kept, qrels, published, "run"), 0.02)


def test_queries_without_candidates_count_nothing() -> None:
    measured = measure_first_stage("c", {"a": [("x", 1.0)], "b": []}, QRELS, {}, "bm25")
    assert measured.set_index("metric")["value"].to_dict() == {"nDCG@10": 0.5, "recall@100": 0.5}
    assert measured["published"].isna().all()


def test_a_figure_off_the_published_one_stops_and_says_which() -> None:
    measured = measure_first_stage("c", RUN, QRELS, {"ndcg": 0.9, "recall": 0.5}, "official")
    value = measured["value"].iloc[0]
    assert value == pytest.approx((1 / math.log2(3)) / 2)
    check_first_stage(measured, 0.6)
    check_first_stage(measured, None)
    with pytest.raises(InputError, match=rf"c nDCG@10 {value:.4f} instead of 0.9000 .official.") as told:
        check_first_stage(measured, 0.02)
    assert "recall" not in str(told.value)


def test_recall_of_short_lists_is_not_compared() -> None:
    short = {qid: ranked[:40] for qid, ranked in RUN.items()}
    measured = measure_first_stage("c", short, QRELS, {"ndcg": None, "recall": 0.9}, "run")
    assert measured["published"].isna().all()
    check_first_stage(measured, 0.02)


def test_the_table_shows_both_figures_and_their_distance() -> None:
    measured = measure_first_stage("c", RUN, QRELS, {"ndcg": 0.3, "recall": None}, "official")
    table = first_stage_table(measured)
    row = dict(zip([column.key for column in table.columns], table.rows[0], strict=True))
    assert [row[key].text for key in ("collection", "stage", "queries", "depth")] == [
        "c",
        "official",
        "2",
        "120",
    ]
    assert (row["ndcg"].text, row["ndcg_published"].text, row["ndcg_difference"].text) == (
        "0.3155",
        "0.3000",
        "+0.0155",
    )
    assert (row["recall"].text, row["recall_published"].text, row["recall_difference"].text) == (
        "0.5000",
        "–",
        "–",
    )
