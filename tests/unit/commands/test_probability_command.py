"""``headrank probability``: on a backbone with planted heads, lists with nothing relevant get low probabilities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headrank import Reranker
from headrank.cli import main
from headrank.doctor.world import World, make_world
from headrank.planted.mini import WORD
from headrank.probability.probability import Probability


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def files(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's lists as files: a passage that answers each of twelve questions, and eleven that do not."""
    folder = tmp_path_factory.mktemp("files")
    queries, corpus, run, qrels = [], {}, [], []
    for c in world.candidates:
        queries.append(json.dumps({"_id": c.qid, "text": c.query}))
        for rank, d in enumerate(c.documents):
            corpus[d.docid] = json.dumps({"_id": d.docid, "title": d.title, "text": d.text})
            run.append(f"{c.qid} Q0 {d.docid} {rank + 1} {99 - rank} made-up")
            qrels.append(f"{c.qid} 0 {d.docid} {3 * (d.docid == world.answers[c.qid])}")
    for name, lines in (
        ("queries.jsonl", queries),
        ("corpus.jsonl", [*corpus.values()]),
        ("run.trec", run),
        ("qrels.trec", qrels),
    ):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def command(action: str, world: World, files: Path, *more: str) -> int:
    model = ("--method", "qrhead", "--backbone", str(world.backbone), "--heads", str(world.heads))
    named = ("--run", str(files / "run.trec"), "--qrels", str(files / "qrels.trec"), "--device", "cpu")
    return main(["probability", action, *model, "--collection", str(files), *named, *more])


@pytest.fixture(scope="module")
def fitted(world: World, files: Path) -> Path:
    path = files / "made" / "probability.json"
    assert command("fit", world, files, "--output", str(path)) == 0
    return path


def test_fitting_says_what_it_was_fitted_on(fitted: Path) -> None:
    told = Probability.load(fitted).provenance
    assert (told["queries"], told["passages"], told["relevant"]) == (12, 144, 12)
    assert (told["relevance_level"], told["unjudged"], told["depth"]) == (1, "leave-out", 12)
    losses = told["heldout_log_loss"]
    assert (
        min(value for key, value in losses.items() if "," in key) < losses["share of relevant passages"] / 2
    )


def test_a_list_with_nothing_relevant_in_it_gets_low_scores_throughout(world: World, fitted: Path) -> None:
    reranker = Reranker("qrhead", world.backbone, heads=world.heads, probability=fitted)

    def scores(query: str, documents: Any) -> list[float]:
        return [d.relevance_score or 0.0 for d in reranker.rank(query, documents)]

    listed = list(world.candidates)
    own = [scores(c.query, c.documents) for c in listed]
    strange = []
    for c, other in zip(listed, [*listed[3:], *listed[:3]], strict=True):
        # Other lists than those that the fit has seen. In this world what is relevant shares words with the query,
        # which other questions' passages do by chance.
        words = set(WORD.findall(c.query))
        strange.append(scores(c.query, [d for d in other.documents if not words & set(WORD.findall(d.text))]))
    assert min(len(s) for s in strange) >= 10
    assert min(s[0] for s in own) > 0.5
    assert max(s[1] for s in own) < 0.2
    assert max(s[0] for s in strange) < 0.1


def test_the_report_prints_what_it_found_and_writes_the_diagram(
    world: World, files: Path, fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = ("--table", str(files / "r.csv"), "--figure", str(files / "r.pdf"))
    capsys.readouterr()
    assert command("report", world, files, "--probability", str(fitted), *outputs, "--nothing-relevant") == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    told = {row[0]: row[1:] for row in rows}
    assert told["queries"] == ["12"]
    assert told["relevant"] == ["12"]
    assert 0 <= float(told["calibration error"][0]) < 0.1
    assert float(told["AUC"][0]) > 0.95
    assert float(told["highest of a list, own candidates"][0]) > 0.5
    assert float(told["highest of a list, strange candidates"][0]) < 0.1
    # The passage of another question happens to hold two of the query's words.
    assert "at least 0.5 in 8% of 12 lists" in told["highest of a list, strange candidates"][1]
    assert float(told["AUC of the highest, own against strange"][0]) > 0.95
    bins = pd.read_csv(files / "r.csv")
    assert bins["passages"].sum() == 144
    assert (files / "r.pdf").read_bytes().startswith(b"%PDF")
    assert (files / "r.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("action", "more", "status", "told"),
    [
        ("report", (), 2, "--probability: name a file from `headrank probability fit`"),
        ("report", ("--probability", "none.json"), 4, "none.json: no readable probability"),
        (
            "fit",
            ("--output", "p.json", "--relevance-level", "4"),
            5,
            "all 144 judged passages are irrelevant",
        ),
        ("fit", ("--output", "p.json", "--adapter", "x"), 2, "--method qrhead: is not trained"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    action: str,
    more: tuple[str, ...],
    status: int,
    told: str,
    world: World,
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(action, world, files, *more) == status
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())
