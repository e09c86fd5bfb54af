"""What is tested on is learned from by nobody: queries that leaked stop a study, and judgements are read last."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import Finished, configuration, snakemake
from small_study import write_study

pytestmark = pytest.mark.slow

LISTS, TABLE = "lists/training.parquet", "tables/first_stage.md"
# What evaluates, and what describes the finished study; the first stage's check, too, is an evaluation. `collection`
# copies the judgements of every collection into one format.
EVALUATING = {
    *("collection", "first_stage", "evaluate", "significance", "depth", "controls", "transfer", "claims"),
    *(
        "selectivity",
        "homogenisation",
        "query_curve",
        "provenance",
        "sidecars",
        "manifest",
        "table",
        "figure",
        "all",
    ),
    # Which passages it attacks depends on judgements; it measures, and nothing is chosen by what it finds.
    "inject",
}

RANKING = {"lists", "features", "detect", "route", "frozen", "generate", "judge"}


def build(tmp_path: Path, asked: list[str], target: str, **changes: str) -> Finished:
    """Run a study with these two training queries; its test queries are "shared text word1" and "… word2"."""
    path = write_study(tmp_path, {"source": "hub", "id": "x/y", "revision": "0" * 40}, **changes)
    rows = [json.dumps({"_id": f"q{i}", "text": text}) for i, text in enumerate(asked, start=1)]
    (tmp_path / "data" / "t" / "queries.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    arguments = ("--cores", "1", f"results/fetched/{target}", "--configfile", path)
    return snakemake(*arguments, directory=tmp_path, HEADRANK_DATA=str(tmp_path / "data"))


@pytest.mark.parametrize("text", ["Word1, shared ｔｅｘｔ?", "shared text word1 please"])
def test_a_test_query_among_the_training_queries_stops_the_study_with_one_line(
    tmp_path: Path, text: str
) -> None:
    done = build(tmp_path, [text, "shared word2"], LISTS)
    assert done.code != 0
    (line,) = set(done.errors)
    assert "train_on: 1 of 2 training queries are test queries too, or nearly: t's q1" in line
    assert "c's q1 'shared text word1'" in line
    assert "leakage: leave-out" in line
    log = (tmp_path / "logs" / "fetched" / "leakage.log").read_text(encoding="utf-8")
    assert "test_query='shared text word1'" in log
    results = tmp_path / "results" / "fetched"
    assert not (results / LISTS).exists()
    assert not (results / "leakage.json").exists()


def test_left_out_or_allowed_queries_are_named_and_counted_in_captions(tmp_path: Path) -> None:
    results = tmp_path / "results" / "fetched"
    left = {}
    for action in ("leave-out", "allow"):
        for target in (LISTS, TABLE):
            done = build(tmp_path, ["word1: shared text", "shared word2"], target, leakage=action)
            assert done.code == 0, done.err[-3000:]
        left[action] = set(pd.read_parquet(results / LISTS)["qid"])
        told = json.loads((results / "leakage.json").read_text(encoding="utf-8"))
        assert [(leak["qid"], leak["test_qid"], leak["how"]) for leak in told["leaks"]] == [
            ("q1", "q1", "same words")
        ]
        caption = (results / TABLE).read_text(encoding="utf-8").splitlines()[0]
        done_with = {"leave-out": "left out", "allow": "kept"}[action]
        assert f"1 training query, the same as test queries or nearly, {done_with}" in caption
    assert left == {"leave-out": {"q2"}, "allow": {"q1", "q2"}}


def test_a_study_whose_training_queries_all_leaked_says_so(tmp_path: Path) -> None:
    asked = ["SHARED TEXT WORD1", "shared text\u200b word2"]
    (line,) = set(build(tmp_path, asked, LISTS, leakage="leave-out").errors)
    assert "2 of 2 training queries are test queries too" in line
    assert "leaves none to learn from" in line


def test_without_leakage_captions_stay_as_they_are(tmp_path: Path) -> None:
    done = build(tmp_path, ["shared word1", "shared word2"], TABLE, leakage="allow")
    assert done.code == 0, done.err[-3000:]
    assert "eakage" not in (tmp_path / "results" / "fetched" / TABLE).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["mini", "config"])
def test_judgements_of_test_queries_are_read_by_no_stage_before_evaluation(name: str, tmp_path: Path) -> None:
    done = snakemake("-n", "--configfile", configuration(name), directory=tmp_path)
    assert done.code == 0, done.err[-2000:]
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", done.out, re.MULTILINE)
    panel = yaml.safe_load(configuration(name).read_text(encoding="utf-8"))["panel"]
    judgements = {f"collections/{benchmark}/qrels.trec" for benchmark in panel}
    readers, makers = set(), {}
    for rule, text in jobs:
        inputs, outputs = (_files(text, kind) for kind in ("input", "output"))
        if any(file.endswith(tuple(judgements)) for file in inputs):
            readers.add(rule)
        makers |= dict.fromkeys(outputs, (rule, inputs))
    assert {"evaluate", "first_stage", "claims"} <= readers <= EVALUATING
    # Nor does anything that ranks read what was made from them, at any distance. The first stage's check only lets
    # the ranking begin.
    todo = [
        file for file, (rule, _) in makers.items() if rule in RANKING or rule.startswith(("rerank", "train"))
    ]
    assert len(todo) > 20
    seen: set[str] = set()
    while todo:
        rule, inputs = makers.get(todo.pop(), ("", []))
        if rule not in ("", "collection"):
            assert rule not in readers - {"first_stage"}, rule
        new = {file for file in inputs if not file.endswith("metrics/first-stage.parquet")} - seen
        seen |= new
        todo += new
    assert seen
    assert not {file for file in seen if file.endswith(tuple(judgements))}


def _files(job: str, kind: str) -> list[str]:
    found = re.search(rf"^ {{4}}{kind}: (.*)$", job, re.MULTILINE)
    return found[1].split(", ") if found else []
