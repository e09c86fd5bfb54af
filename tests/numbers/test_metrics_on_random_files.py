"""1,500 random runs and judgements, read from files: all metrics as pytrec_eval has them, and by their definitions.

pytrec_eval reads the scores with their ties and breaks these itself; the definitions below know nothing of it. Both are
given everything that runs and judgements may hold: tied scores, scores that differ beyond float32 only, negative
grades, queries that only one of the two files has, documents that nobody judged, lists shorter than the cut-off.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cmp_to_key
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from headrank.data.trec import read_qrels, read_run
from headrank.evaluation.evaluate import evaluate, means
from headrank.evaluation.metrics import kinds, read_metrics

pytestmark = pytest.mark.slow

FILES, PART = 1500, 100
Scores = dict[str, dict[str, float]]
Grades = dict[str, dict[str, int]]


# --- the files ---


def drawn(rng: np.random.Generator) -> tuple[Scores, Grades]:
    """A run and judgements that share a query at least; half of the runs have few different scores."""
    docids = [f"d{i}" for i in rng.permutation(40)]
    few = rng.random() < 0.5
    scores: Scores = {}
    grades: Grades = {}
    for q in range(int(rng.integers(1, 6))):
        both = q == 0
        if both or rng.random() < 0.8:
            listed = rng.choice(docids, int(rng.integers(1, 31)), replace=False)
            values = rng.integers(-3, 3, len(listed)) / 2 if few else rng.normal(0, 10, len(listed))
            # Equal in float32, in which trec_eval compares, and different in the file.
            values = values * np.where(rng.random(len(listed)) < 0.2, 1 + 1e-9, 1.0)
            scores[f"q{q}"] = {str(d): float(v) for d, v in zip(listed, values, strict=True)}
        if both or rng.random() < 0.8:
            judged = rng.choice(docids, int(rng.integers(1, 31)), replace=False)
            lowest, highest = ((-2, 4), (0, 1), (-2, 0), (1, 3))[int(rng.integers(0, 4))]
            values = rng.integers(lowest, highest, len(judged), endpoint=True)
            grades[f"q{q}"] = {str(d): int(g) for d, g in zip(judged, values, strict=True)}
    return scores, grades


def write(folder: Path, scores: Scores, grades: Grades, rng: np.random.Generator) -> tuple[Path, Path]:
    """Lines in any order, with ranks that say nothing."""
    run = [f"{q} Q0 {d} {rng.integers(99)} {s!r} t" for q, part in scores.items() for d, s in part.items()]
    qrels = [f"{q} 0 {d} {g}" for q, part in grades.items() for d, g in part.items()]
    paths = folder / "run.trec", folder / "qrels.trec"
    for path, lines in zip(paths, (run, qrels), strict=True):
        path.write_text("".join(f"{lines[i]}\n" for i in rng.permutation(len(lines))), encoding="utf-8")
    return paths


def asked(rng: np.random.Generator) -> list[str]:
    """Every metric, with any cut-off and level that it takes."""
    names = []
    for name, kind in kinds().items():
        level = "" if kind.graded else f"(rel={rng.integers(1, 5)})"
        cutoff = f"@{rng.integers(1, 45)}"
        names += [f"{name}{level}{cutoff}"] * (kind.cutoff != "none")
        names += [f"{name}{level}"] * (kind.cutoff != "required")
    return names


# --- the definitions ---


def in_order(scores: dict[str, float]) -> list[str]:
    """trec_eval's order: the higher float32 score first, and of equal ones the later id."""

    def compare(one: str, other: str) -> int:
        a, b = np.float32(scores[one]), np.float32(scores[other])
        if a != b:
            return -1 if a > b else 1
        return -1 if one > other else 1

    return sorted(scores, key=cmp_to_key(compare))


def defined(stem: str, order: Sequence[str], grades: dict[str, int], cutoff: int | None, level: int) -> float:
    """One query's value; 0 for a query without documents."""
    top = list(order)[:cutoff]
    relevant = {d for d, grade in grades.items() if grade >= level}
    hits = [d in relevant for d in top]
    if not order:
        return 0.0
    if stem == "ndcg":
        gains = [max(grades.get(d, 0), 0) for d in top]
        best = sorted((max(grade, 0) for grade in grades.values()), reverse=True)[:cutoff]
        dcg, ideal = (sum(g / math.log2(i + 2) for i, g in enumerate(given)) for given in (gains, best))
        return dcg / ideal if ideal else 0.0
    if stem == "map":
        found = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
        return sum(found) / len(relevant) if relevant else 0.0
    if stem == "rr":
        return 1 / (hits.index(True) + 1) if any(hits) else 0.0
    if stem == "precision":
        assert cutoff is not None
        return sum(hits) / cutoff
    if stem == "recall":
        return sum(hits) / len(relevant) if relevant else 0.0
    assert stem == "judged"
    return sum(d in grades for d in top) / len(top)


def by_trec_eval(scores: Scores, grades: Grades, measure: str, level: int) -> dict[str, float]:
    """Values of the queries that both files have."""
    # A query without a grade above -2 crashes it (usnistgov/trec_eval#29); below 0 all grades mean the same.
    given = {q: {d: max(g, -1) for d, g in part.items()} for q, part in grades.items()}
    found = pytrec_eval.RelevanceEvaluator(given, {measure}, relevance_level=level).evaluate(scores)
    return {q: values[measure] for q, values in found.items()}


@pytest.mark.parametrize("part", range(FILES // PART))
def test_every_metric_of_random_files_is_pytrec_eval_s_and_the_definition_s(
    part: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    compared = 0
    for number in range(part * PART, (part + 1) * PART):
        rng = np.random.default_rng([19, number])
        scores, grades = drawn(rng)
        run, qrels = write(tmp_path, scores, grades, rng)
        names = asked(rng)
        frame = evaluate(read_run(run, "score"), read_qrels(qrels), names)
        assert frame["qid"].nunique() == len(grades)
        average = means(frame)
        for metric in read_metrics(names):
            own = frame[frame["metric"] == metric.name].set_index("qid")["value"].to_dict()
            expected = {
                q: defined(metric.stem, in_order(scores.get(q, {})), part_, metric.cutoff, metric.level)
                for q, part_ in grades.items()
            }
            assert own == pytest.approx(expected, abs=1e-12), (number, metric.name)
            assert average[metric.name] == pytest.approx(
                math.fsum(expected.values()) / len(grades), abs=1e-12
            )
            if metric.measure and not (metric.stem == "rr" and metric.cutoff):
                theirs = by_trec_eval(scores, grades, metric.measure, metric.level)
                # To the last bit; queries that the run lacks count as 0.
                assert own == {q: theirs.get(q, 0.0) for q in grades}, (number, metric.name)
            compared += len(own)
    assert compared > PART * 10
