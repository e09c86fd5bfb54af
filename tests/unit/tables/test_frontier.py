"""Effectiveness against seconds: what is timed, which points no other one beats, and what the figure shows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support import tiny_backbone

from headrank.bench.alone import COLUMNS, attention_ways, generative_ways, time_alone
from headrank.data.collections import Document
from headrank.engine.scoring import Kernel
from headrank.figures.frontier import frontier_figure
from headrank.figures.style import save_figure
from headrank.generative.settings import GenerativeSettings
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import Method
from headrank.rerankers.candidates import Candidates
from headrank.settings import PromptSettings
from headrank.tables.frontier import frontier_points, frontier_table

VALUES = {
    ("", "bm25"): (0.50, 0.40),
    ("small", "icr"): (0.40, 0.50),
    ("small", "qrhead"): (0.60, 0.50),
    ("small", "headrank"): (0.70, 0.60),
    ("small", "rankgpt"): (0.30, 0.20),
    ("large", "icr"): (0.60, 0.60),
    ("large", "headrank"): (0.80, 0.90),
}
METRICS = pd.DataFrame(
    [
        (backbone, benchmark, method, "q1", "nDCG@10", value)
        for (backbone, method), values in VALUES.items()
        for benchmark, value in zip(("dl19", "dl20"), values, strict=True)
    ],
    columns=["backbone", "benchmark", "method", "qid", "metric", "value"],
)
# Beside the median a query that took long.
SECONDS = pd.DataFrame(
    [
        (backbone, method, qid, 40, seconds * scale, layers)
        for backbone, method, seconds, layers in [
            ("small", "icr", 2.0, 24),
            ("small", "qrhead", 1.5, 21),
            ("small", "headrank", 1.0, 16),
            ("small", "rankgpt", 20.0, 24),
            ("small", "setwise", 30.0, 24),
            ("large", "icr", 6.0, 28),
            ("large", "headrank", 3.0, 17),
        ]
        for qid, scale in (("q1", 1.0), ("q2", 0.9), ("q3", 9.0))
    ],
    columns=["backbone", "method", "qid", "passages", "seconds", "layers"],
)


def test_points_and_which_of_them_are_best():
    points = frontier_points(METRICS, SECONDS).set_index(["backbone", "method"])
    # Setwise has no value; the first stage has no time.
    assert len(points) == 7
    assert points.loc[("small", "headrank"), "value"] == pytest.approx(0.65)
    assert points.loc[("small", "headrank"), "seconds"] == 1.0
    assert points.loc[("large", "headrank"), "layers"] == 17
    best = set(points.index[points["best"]])
    assert best == {("", "bm25"), ("small", "headrank"), ("large", "headrank")}


def test_equal_points_are_both_best_and_a_slower_equal_is_not():
    metrics = METRICS[METRICS["method"].isin(["icr", "qrhead"])].assign(value=0.5)
    seconds = SECONDS[SECONDS["method"].isin(["icr", "qrhead"])].assign(seconds=1.0)
    assert frontier_points(metrics, seconds)["best"].all()
    slower = seconds.assign(seconds=[2.0 if m == "icr" else 1.0 for m in seconds["method"]])
    points = frontier_points(metrics, slower)
    assert points["best"].tolist() == [m == "qrhead" for m in points["method"]]


def test_the_mean_is_over_the_benchmarks_asked_for():
    points = frontier_points(METRICS, SECONDS, benchmarks=["dl20"]).set_index(["backbone", "method"])
    assert points.loc[("small", "icr"), "value"] == 0.5


def test_table():
    table = frontier_table(METRICS, SECONDS, benchmarks=["dl19", "dl20"])
    rows = [row for group in table.groups for row in group]
    assert [row[1].value for row in rows] == [
        "bm25", "headrank", "qrhead", "icr", "rankgpt", "headrank", "icr",
    ]  # fmt: skip
    assert rows[0][1].text == "BM25"
    assert rows[0][3].value is rows[0][2].value is None
    assert isinstance(rows[1][2].value, int)
    assert [row[5].value for row in rows] == ["yes", "yes", "", "", "", "yes", ""]
    assert "median of 3 queries, 40 passages" in table.caption


def test_the_first_stage_is_called_what_the_study_calls_it():
    table = frontier_table(METRICS, SECONDS, first_stage="SPLADE")
    assert table.groups[0][0][1].text == "SPLADE"
    figure = frontier_figure(METRICS, SECONDS, first_stage="SPLADE")
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "SPLADE" in named
    assert "BM25" not in named


def test_figure(tmp_path: Path):
    figure = frontier_figure(METRICS, SECONDS)
    (axes,) = figure.axes
    assert sum(len(part.get_offsets()) for part in axes.collections) == 6
    named = {text.get_text() for text in axes.texts}
    assert named == {"1", "2", "1  HeadRank, Small\n2  HeadRank, Large"}
    assert "BM25" in [text.get_text() for text in figure.legends[0].get_texts()]
    for name in ("a", "b"):
        save_figure(
            frontier_figure(METRICS, SECONDS), pdf=tmp_path / f"{name}.pdf", png=tmp_path / f"{name}.png"
        )
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_every_way_is_timed_on_every_query_in_turn():
    backbone = tiny_backbone("qwen3")
    builder = PromptBuilder(backbone.tokenizer, PromptSettings(family="plain"))
    methods = [Method(name, ((layer, 0),), Kernel()) for name, layer in [("shallow", 0), ("deep", 2)]]
    ways = attention_ways(backbone, builder, methods, "best-first")
    assert [layers for _, layers in ways.values()] == [1, 3]
    calls: list[tuple[str, str]] = []

    def told(name: str):
        way, layers = ways[name]

        def run(candidates: Candidates) -> None:
            calls.append((name, candidates.qid))
            way(candidates)

        return run, layers

    documents = tuple(Document(str(i), "", text) for i, text in enumerate(["red oak", "blue elm", "a stone"]))
    candidates = [Candidates(qid, "oak", documents) for qid in ("q1", "q2")]
    frame = time_alone({name: told(name) for name in ways}, candidates)
    assert list(frame.columns) == COLUMNS
    warm, timed = calls[:2], calls[2:]
    assert warm == [("shallow", "q1"), ("deep", "q1")]
    assert timed == [("shallow", "q1"), ("deep", "q1"), ("deep", "q2"), ("shallow", "q2")]
    assert list(zip(frame["method"], frame["qid"], strict=True)) == timed
    assert (frame["seconds"] > 0).all()
    assert set(frame["passages"]) == {3}


def test_generative_references_are_ways_too():
    backbone = tiny_backbone("qwen3")
    ways = generative_ways(backbone, ["query-likelihood"], GenerativeSettings())
    assert ways["query-likelihood"][1] == backbone.n_layers
