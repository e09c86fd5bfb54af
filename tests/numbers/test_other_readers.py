"""Runs that are written here, read by other libraries: the same values of the same metrics, query by query."""

from __future__ import annotations

from pathlib import Path

import ir_measures
import numpy as np
import pytest

from headrank.data.trec import read_qrels, read_run, write_qrels, write_run
from headrank.evaluation.evaluate import evaluate, means

METRICS = {"ndcg@10": "nDCG@10", "rr@10": "RR@10", "map": "AP", "recall@20": "R@20", "precision@5": "P@5"}
QUERIES = 40


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Forty queries with thirty documents each; a fifth of the scores are tied before they are written."""
    rng = np.random.default_rng(7)
    run, qrels = {}, {}
    for q in range(QUERIES):
        docids = [f"d{i}" for i in rng.permutation(200)[:30]]
        scores = np.sort(np.round(rng.normal(0, 3, 30), 1))[::-1]
        run[f"q{q}"] = [(d, float(s)) for d, s in zip(docids, scores, strict=True)]
        judged = rng.choice([*docids, *(f"x{i}" for i in range(10))], 15, replace=False)
        grades = rng.integers(0, 4, 15)
        qrels[f"q{q}"] = {str(d): int(g) for d, g in zip(judged, grades, strict=True)}
        qrels[f"q{q}"][docids[0]] = 1
    place = tmp_path_factory.mktemp("files")
    write_run(place / "run.trec", run, "headrank")
    write_qrels(place / "qrels.trec", qrels)
    return place / "run.trec", place / "qrels.trec"


def own(files: tuple[Path, Path]) -> dict[str, dict[str, float]]:
    """Metric -> query -> value, as this library has them."""
    frame = evaluate(read_run(files[0]), read_qrels(files[1]), list(METRICS))
    return {
        name: dict(zip(rows["qid"], rows["value"], strict=True)) for name, rows in frame.groupby("metric")
    }


def test_ir_measures_reads_them_and_finds_the_same(files: tuple[Path, Path]) -> None:
    measures = {ir_measures.parse_measure(name): ours for ours, name in METRICS.items()}
    qrels, run = ir_measures.read_trec_qrels(str(files[1])), ir_measures.read_trec_run(str(files[0]))
    found: dict[str, dict[str, float]] = {ours: {} for ours in METRICS}
    for value in ir_measures.iter_calc(list(measures), qrels, run):
        found[measures[value.measure]][value.query_id] = value.value
    for name, values in own(files).items():
        assert len(values) == QUERIES
        assert found[name] == pytest.approx(values, abs=1e-12), name


def test_ranx_reads_them_and_finds_the_same(files: tuple[Path, Path]) -> None:
    reason = "ranx is not installed (pip install 'headrank[ranx]', or make test-ranx)"
    ranx = pytest.importorskip("ranx", reason=reason)
    names = {
        "ndcg@10": "ndcg@10",
        "rr@10": "mrr@10",
        "map": "map",
        "recall@20": "recall@20",
        "precision@5": "precision@5",
    }
    run = ranx.Run.from_file(str(files[0]), kind="trec")
    qrels = ranx.Qrels.from_file(str(files[1]), kind="trec")
    found = ranx.evaluate(qrels, run, list(names.values()))
    right = means(evaluate(read_run(files[0]), read_qrels(files[1]), list(METRICS)))
    for ours, theirs in names.items():
        # ranx adds up in 32 bits in places.
        assert float(found[theirs]) == pytest.approx(right[ours], abs=1e-6), ours
