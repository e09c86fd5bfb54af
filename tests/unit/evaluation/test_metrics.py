"""Each metric by hand, against its definition written out once more, pytrec_eval and ir_measures; and one more file."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from headrank.errors import InputError
from headrank.evaluation import metrics as package
from headrank.evaluation.evaluate import evaluate, means
from headrank.evaluation.metrics import kinds, main_metric, read_metrics, spellings

ALL = ["ndcg@10", "ndcg@3", "recall@2", "precision@2", "map", "rr", "rr@1", "judged@2"]


def one(documents: str, grades: dict[str, int], metric: str) -> float:
    run = {"q": [(d, float(-i)) for i, d in enumerate(documents)]}
    return means(evaluate(run, {"q": grades}, [metric]))[metric]


DISCOUNT = [1 / math.log2(rank + 1) for rank in range(1, 5)]
# Linear gains of the order c, x (unjudged), a, b, and of the best one.
GAINED, IDEAL = 1 * DISCOUNT[0] + 3 * DISCOUNT[2], 3 * DISCOUNT[0] + 2 * DISCOUNT[1] + 1 * DISCOUNT[2]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("ndcg@10", GAINED / IDEAL),
        ("ndcg@2", DISCOUNT[0] / (3 * DISCOUNT[0] + 2 * DISCOUNT[1])),
        ("recall@2", 1 / 3),
        ("recall(rel=2)@3", 1 / 2),
        ("precision@4", 2 / 4),
        ("precision@10", 2 / 10),
        ("precision(rel=3)@4", 1 / 4),
        ("map", (1 / 1 + 2 / 3) / 3),
        ("map(rel=2)", (1 / 3) / 2),
        ("rr", 1),
        ("rr(rel=2)", 1 / 3),
        ("rr(rel=2)@3", 1 / 3),
        ("rr(rel=2)@2", 0),
        ("rr(rel=4)", 0),
        ("judged@2", 1 / 2),
        ("judged@10", 3 / 4),
    ],
)
def test_by_hand(metric: str, expected: float) -> None:
    grades = {"a": 3, "b": 0, "c": 1, "d": 2, "z": -1}
    assert one("cxab", grades, metric) == pytest.approx(expected)
    # An unjudged document in the place of the irrelevant one changes nothing but what is judged.
    if not metric.startswith("judged"):
        assert one("cxay", grades, metric) == pytest.approx(expected)


def test_a_negative_grade_gains_nothing() -> None:
    assert one("zc", {"a": 3, "c": 1, "d": 2, "z": -1}, "ndcg@10") == pytest.approx(DISCOUNT[1] / IDEAL)


def plain_metrics(order: list[str], grades: dict[str, int], level: int) -> dict[str, float]:
    """The definitions written out once more, without trec_eval."""
    relevant = {d for d, g in grades.items() if g >= level}
    hits = [d in relevant for d in order]

    def dcg(gains: list[int], k: int) -> float:
        return sum(max(gain, 0) / math.log2(i + 2) for i, gain in enumerate(gains[:k]))

    def ndcg(k: int) -> float:
        ideal = dcg(sorted(grades.values(), reverse=True), k)
        return dcg([grades.get(d, 0) for d in order], k) / ideal if ideal else 0.0

    precisions = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
    first = hits.index(True) + 1 if any(hits) else math.inf
    return {
        "ndcg@10": ndcg(10),
        "ndcg@3": ndcg(3),
        "recall@2": sum(hits[:2]) / len(relevant) if relevant else 0.0,
        "precision@2": sum(hits[:2]) / 2,
        "map": sum(precisions) / len(relevant) if relevant else 0.0,
        "rr": 1 / first,
        "rr@1": float(first == 1),
        "judged@2": sum(d in grades for d in order[:2]) / len(order[:2]),
    }


letters = st.sampled_from("abcdefghijkl")


def at_level(name: str, level: int) -> dict[str, Any] | str:
    return name if name.startswith(("ndcg", "judged")) else {"name": name, "relevance_level": level}


@settings(max_examples=150)
@given(
    order=st.lists(letters, unique=True, min_size=1, max_size=12),
    grades=st.dictionaries(letters, st.integers(-1, 3), min_size=1, max_size=10),
    level=st.integers(1, 2),
)
def test_against_the_definitions(order: list[str], grades: dict[str, int], level: int) -> None:
    run = {"q": [(d, 0.5 - i) for i, d in enumerate(order)]}
    found = evaluate(run, {"q": grades}, [at_level(name, level) for name in ALL])["value"].tolist()
    assert dict(zip(ALL, found, strict=True)) == pytest.approx(plain_metrics(order, grades, level), abs=1e-6)


def drawn() -> tuple[dict[str, list[tuple[str, float]]], dict[str, dict[str, int]]]:
    """30 queries, six of them without a ranking, with grades of 15 of 40 documents each."""
    rng = np.random.default_rng(3)
    run, qrels = {}, {}
    for q in range(30):
        docs = [f"d{i}" for i in rng.permutation(40)]
        if q % 5:
            run[f"q{q}"] = [(d, float(40 - i)) for i, d in enumerate(docs[:20])]
        qrels[f"q{q}"] = {d: int(rng.integers(0, 4)) for d in rng.permutation(docs)[:15]}
    return run, qrels


def test_against_ir_measures() -> None:
    """Means over judged queries with relevance levels, as the field's common front end computes them."""
    run, qrels = drawn()
    names = {
        "ndcg@10": "nDCG@10",
        "recall(rel=2)@5": "R(rel=2)@5",
        "recall@5": "R@5",
        "precision(rel=2)@7": "P(rel=2)@7",
        "map(rel=2)": "AP(rel=2)",
        "map(rel=3)": "AP(rel=3)",
        "rr(rel=2)": "RR(rel=2)",
        "rr(rel=2)@3": "RR(rel=2)@3",
        "judged@10": "Judged@10",
    }
    found = means(evaluate(run, qrels, list(names)))
    parsed = {name: ir_measures.parse_measure(theirs) for name, theirs in names.items()}
    second = ir_measures.calc_aggregate(parsed.values(), qrels, {q: dict(d) for q, d in run.items()})
    assert found == pytest.approx({name: second[measure] for name, measure in parsed.items()}, abs=1e-6)


def test_where_pytrec_eval_has_the_metric_its_values_are_taken_as_they_are() -> None:
    run, qrels = drawn()
    asked = read_metrics(["ndcg@10", "recall@5", "precision@7", "map", "rr"])
    frame = evaluate(run, qrels, asked)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {metric.measure for metric in asked})
    values = theirs.evaluate({qid: dict(documents) for qid, documents in run.items()})
    for qid, part in frame[frame["qid"].isin(list(run))].groupby("qid"):
        assert part["value"].tolist() == [values[qid][metric.measure] for metric in asked]


def test_metrics_of_several_levels_stand_beside_each_other() -> None:
    entries = [
        "rr",
        {"name": "rr", "relevance_level": 2},
        "rr(rel=3)@5",
        {"name": "rr@10", "relevance_level": 1},
    ]
    frame = evaluate({"q": [("a", 3.0), ("b", 2.0), ("c", 1.0)]}, {"q": {"a": 1, "b": 2, "c": 3}}, entries)
    assert dict(zip(frame["metric"], frame["value"], strict=True)) == {
        "rr": 1.0,
        "rr(rel=2)": 0.5,
        "rr(rel=3)@5": 1 / 3,
        "rr@10": 1.0,
    }
    titles = [metric.title for metric in read_metrics(entries)]
    assert titles == ["RR", "RR(rel=2)", "RR(rel=3)@5", "RR@10"]
    assert main_metric(["ndcg@10", "rr"]).title == "nDCG@10"


KNOWN = "judged@K, map, ndcg@K, precision@K, recall@K, rr, rr@K"


@pytest.mark.parametrize(
    "name", ["ndcg", "ndcg@0", "ndcg@ten", "ndgc@10", "map@10", "recall", "nDCG@10", "f1", "", "metric@10"]
)
def test_unknown_metrics(name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_metrics(["rr", name], "evaluation.metrics")
    assert str(caught.value) == f"evaluation.metrics: {name!r} is unknown; known: {KNOWN}"


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([], "metrics: none given"),
        (["rr", "map", {"name": "rr"}], "metrics: 'rr' is given twice"),
        (["rr(rel=0)"], "metrics: 'rr(rel=0)' with relevance level 0 would make judged-irrelevant"),
        ([{"name": "map", "relevance_level": 0}], "metrics: 'map' with relevance level 0"),
        ([{"name": "ndcg@10", "relevance_level": 2}], "metrics: 'ndcg@10' counts every grade"),
        (["judged(rel=2)@10"], "metrics: 'judged(rel=2)@10' counts every grade"),
        ([{"name": "rr(rel=2)", "relevance_level": 3}], "metrics: 'rr(rel=2)' has two relevance levels"),
    ],
)
def test_lists_that_say_nothing_sound(entries: list[Any], fault: str) -> None:
    with pytest.raises(InputError) as caught:
        evaluate({"q": [("d", 1.0)]}, {"q": {"d": 1}}, entries)
    assert str(caught.value).startswith(fault)


def test_every_file_of_the_package_is_a_metric_with_a_title_and_bounds() -> None:
    files = {path.stem for path in Path(package.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(kinds()) == files
    assert all(kind.title and kind.bounds for kind in kinds().values())
    assert spellings() == KNOWN.split(", ")


SUCCESS = '''
"""Success: whether any of the first K documents is relevant."""

from headrank.evaluation.metric import Kind

METRIC = Kind("success", cutoff="required", measure="success_{cutoff}")
'''
FOUND = '''
"""The number of relevant documents in the list."""

from headrank.evaluation.metric import Kind

METRIC = Kind("found", value=lambda ranking: float(ranking.found))
'''


def test_a_metric_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pytrec_eval's, or of one's own; names, levels, cut-offs, titles and messages follow."""
    (tmp_path / "success.py").write_text(SUCCESS, encoding="utf-8")
    (tmp_path / "found.py").write_text(FOUND, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    try:
        run, grades = {"q": [("a", 2.0), ("b", 1.0)]}, {"q": {"a": 1, "b": 2}}
        entries = ["success@1", "success(rel=2)@1", "success(rel=2)@2", "found", "ndcg@10"]
        assert evaluate(run, grades, entries)["value"].tolist()[:4] == [1, 0, 1, 2]
        assert main_metric(entries).title == "success@1"
        with pytest.raises(InputError, match=r"known: found, judged@K, .*, success@K$"):
            read_metrics(["found@3"])
    finally:
        for name in ("success", "found"):
            sys.modules.pop(f"{package.__name__}.{name}", None)
            vars(package).pop(name, None)
    monkeypatch.undo()
    assert "success@K" not in spellings()


def test_names_are_checked_without_anything_large() -> None:
    code = (
        "import sys; from headrank.evaluation.metrics import read_metrics, spellings\n"
        "read_metrics(['ndcg@10', {'name': 'rr', 'relevance_level': 2}]); spellings()\n"
        "print(sorted({'numpy', 'pandas', 'pytrec_eval', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
