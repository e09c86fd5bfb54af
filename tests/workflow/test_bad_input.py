"""Bad input to a stage: one clear line, a non-zero exit, and nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import Finished, snakemake

pytestmark = pytest.mark.slow

STUDY = {
    "name": "faulty",
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
    "train_on": ["c"],
    "panel": ["c"],
    "backbones": {"b": {"source": "local", "path": "model"}},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A small sound collection with a run, and an empty model directory."""
    place = tmp_path / "data" / "c"
    place.mkdir(parents=True)
    documents = [{"_id": f"d{i}", "title": "", "text": f"word{i} shared text"} for i in range(4)]
    (place / "corpus.jsonl").write_text("".join(f"{json.dumps(d)}\n" for d in documents), encoding="utf-8")
    queries = [{"_id": "q1", "text": "word1 shared"}, {"_id": "q2", "text": "word2 shared"}]
    (place / "queries.jsonl").write_text("".join(f"{json.dumps(q)}\n" for q in queries), encoding="utf-8")
    (place / "qrels.trec").write_text("q1 0 d1 2\nq1 0 d0 0\nq2 0 d2 1\nq2 0 d0 0\n", encoding="utf-8")
    run = [f"{q} Q0 d{i} {i + 1} {4 - i} given" for q in ("q1", "q2") for i in range(3)]
    (place / "run.trec").write_text("\n".join(run) + "\n", encoding="utf-8")
    (tmp_path / "data" / "model").mkdir()
    (tmp_path / "data" / "model" / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")
    return tmp_path / "data"


def build(data: Path, target: str, collection: dict[str, object] | None = None) -> Finished:
    """Run the study up to one target."""
    spec = {"source": "local", "path": "c", "run": "run.trec"} | (collection or {})
    path = data.parent / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "collections": {"c": spec}}), encoding="utf-8")
    arguments = ("--cores", "1", f"results/faulty/{target}", "--configfile", path)
    return snakemake(*arguments, directory=data.parent, HEADRANK_DATA=str(data))


def replace_line(path: Path, number: int, line: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number - 1] = line
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_run(folder: Path, score: Callable[[int], float]) -> None:
    lines = [f"{q} Q0 d{rank - 1} {rank} {score(rank)} given\n" for q in ("q1", "q2") for rank in range(1, 4)]
    (folder / "run.trec").write_text("".join(lines), encoding="utf-8")


CANDIDATES, PASSAGES, QRELS = (
    f"collections/c/{name}" for name in ("candidates.trec", "passages.jsonl", "qrels.trec")
)


def test_the_sound_collection_is_built(data: Path) -> None:
    done = build(data, PASSAGES)
    assert done.code == 0, done.err
    assert (data.parent / "results/faulty" / PASSAGES).read_text(encoding="utf-8").count("\n") == 3


FAULTS: dict[str, tuple[str, Callable[[Path], object], list[str]]] = {
    "run line cut off": (
        CANDIDATES,
        lambda c: replace_line(c / "run.trec", 3, "q1 Q0 d2 3"),
        ["run.trec:3:"],
    ),
    "document twice": (
        CANDIDATES,
        lambda c: replace_line(c / "run.trec", 2, "q1 Q0 d0 2 3 given"),
        ["run.trec:2:", "d0"],
    ),
    "score not a number": (
        CANDIDATES,
        lambda c: replace_line(c / "run.trec", 4, "q2 Q0 d0 1 nan given"),
        ["run.trec:4:"],
    ),
    "score infinite": (
        CANDIDATES,
        lambda c: replace_line(c / "run.trec", 4, "q2 Q0 d0 1 1e400 given"),
        ["run.trec:4:"],
    ),
    "query without candidates": (
        CANDIDATES,
        lambda c: (c / "run.trec").write_text("q1 Q0 d0 1 1 given\n", encoding="utf-8"),
        ["run.trec", "q2"],
    ),
    "scores that are distances": (
        CANDIDATES,
        lambda c: write_run(c, lambda rank: 0.1 * rank),
        ["run.trec: ranks and scores disagree", "order_by"],
    ),
    "scores all equal": (
        CANDIDATES,
        lambda c: write_run(c, lambda rank: 0.0),
        ["run.trec: ranks and scores disagree", "all 3 scores are equal"],
    ),
    "judged query without text": (
        QRELS,
        lambda c: replace_line(c / "queries.jsonl", 2, '{"_id": "q2", "text": " "}'),
        ["collection c", "'q2' has no text"],
    ),
    "judgement malformed": (
        QRELS,
        lambda c: replace_line(c / "qrels.trec", 2, "q1 0 d0 high"),
        ["qrels.trec:2:"],
    ),
    "candidate without text": (
        PASSAGES,
        lambda c: replace_line(c / "run.trec", 1, "q1 Q0 d9 1 4 given"),
        ["corpus.jsonl", "d9"],
    ),
    "corpus line broken": (
        PASSAGES,
        lambda c: replace_line(c / "corpus.jsonl", 2, '{"_id": "d1", "text": '),
        ["corpus.jsonl:2:"],
    ),
    "no query judged": (
        QRELS,
        lambda c: (c / "qrels.trec").write_text("q7 0 d1 1\n", encoding="utf-8"),
        ["collection c"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_one_line_and_leaves_nothing(data: Path, fault: str) -> None:
    target, spoil, named = FAULTS[fault]
    spoil(data / "c")
    check(build(data, target), data.parent / "results/faulty" / target, named)


def test_a_run_is_read_in_the_order_of_its_ranks_on_request(data: Path) -> None:
    write_run(data / "c", lambda rank: 0.1 * rank)
    done = build(data, CANDIDATES, {"order_by": "rank"})
    assert done.code == 0, done.err
    lines = (data.parent / "results/faulty" / CANDIDATES).read_text(encoding="utf-8").splitlines()
    assert [line.split()[2] for line in lines] == ["d0", "d1", "d2"] * 2


def test_a_lone_surrogate_in_a_query_is_replaced(data: Path) -> None:
    replace_line(data / "c" / "queries.jsonl", 1, '{"_id": "q1", "text": "word1 \\ud83d"}')
    done = build(data, QRELS)
    assert done.code == 0, done.err
    queries = (data.parent / "results/faulty/collections/c/queries.jsonl").read_text(encoding="utf-8")
    assert "word1 \ufffd" in queries


def test_an_unknown_catalogue_name_is_refused(data: Path) -> None:
    done = build(data, QRELS, {"source": "ir_datasets", "id": "beir/scifcat/test", "run": None})
    check(done, data.parent / "results/faulty" / QRELS, ["beir/scifcat/test", "beir/scifact/test"])


def test_a_checkpoint_that_is_not_a_decoder_is_refused(data: Path) -> None:
    done = build(data, "backbones/b")
    check(done, data.parent / "results/faulty/backbones/b", ["'t5'", "not a decoder"])


def check(done: Finished, output: Path, named: list[str]) -> None:
    assert done.code != 0
    # The stage says it on the terminal; Snakemake shows the log, which says it again.
    assert len(set(done.errors)) == 1, done.err
    assert all(part in done.errors[0] for part in named), done.errors[0]
    assert "Traceback" not in done.err
    assert not output.exists()
    assert not [path for path in output.parent.glob(".*") if path.name.startswith(f".{output.name}.")]
