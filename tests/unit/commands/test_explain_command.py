"""``headrank explain``: a page from a run or from passages of its own, and what is refused in a line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from support import checkpoint, passages

from headrank.cli import main
from headrank.data.trec import read_run
from headrank.engine.backbone import load_backbone
from headrank.heads.head_set import HeadSet
from headrank.settings import Settings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter

HEADS = HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 2)), (1.0, 0.5))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    rows = [json.dumps({"_id": d.docid, "title": d.title, "text": d.text}) for d in passages(5)]
    (folder / "corpus.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    queries = '{"_id": "q-one", "text": "red oak"}\n{"_id": "q-two", "text": "no candidates"}\n'
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    run = [f"q-one Q0 d{d} {rank} {9 - rank} bm25" for rank, d in enumerate((3, 1, 0, 4, 2), 1)]
    (folder / "run.trec").write_text("\n".join(run) + "\n", encoding="utf-8")
    (folder / "qrels.trec").write_text("q-one 0 d1 2\nq-one 0 d0 0\n", encoding="utf-8")
    (folder / "plain.txt").write_text("red oak\n\nblue stone and a river\n", encoding="utf-8")
    (folder / "none.txt").write_text("\n \n", encoding="utf-8")
    (folder / "bad.jsonl").write_text('{"_id": "x"}\n', encoding="utf-8")
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth)
    torch.manual_seed(2)
    model: Any = attach_lora(backbone, HEADS, Settings().training)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.2)
    save_adapter(model, folder / "adapter", backbone, HEADS, to_mapping(Settings()), "k-2")
    return folder


def explain(files: Path, *more: str) -> int:
    return main(["explain", "--output", str(files / "page.html"), "--device", "cpu", *more])


def data_of(files: Path) -> dict[str, Any]:
    page = (files / "page.html").read_text(encoding="utf-8")
    (files / "page.html").unlink()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def of_run(files: Path) -> tuple[str, ...]:
    return "--collection", str(files), "--run", str(files / "run.trec")


@pytest.mark.parametrize("query", ["q-one", " red oak"])
def test_the_page_of_an_adapter_shows_it_before_and_after_training(
    files: Path, query: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--adapter", str(files / "adapter"), *of_run(files))
    assert explain(files, "--query", query, *given, "--depth", "4") == 0
    assert "note: the first 4 of 5 candidates are read; --depth says how many\n" in capsys.readouterr().err
    data = data_of(files)
    assert [state["name"] for state in data["states"]] == ["before training", "after training"]
    assert [column["name"] for column in data["columns"]] == ["2-1", "1-2"]
    assert (data["query"], data["qid"]) == ("red oak", "q-one")
    assert [passage["id"] for passage in data["passages"]] == ["d3", "d1", "d0", "d4"]
    assert [passage["first"] for passage in data["passages"]] == [1, 2, 3, 4]
    assert [passage["grade"] for passage in data["passages"]] == [None, 2, 0, None]
    assert data["highest"] == 2
    assert data["notes"][0].startswith("The first 4 of 5 candidates are read")
    # After training, the page has the ranks of the command that reranks.
    again = (
        *given,
        "--output",
        str(files / "out.trec"),
        "--device",
        "cpu",
        "--depth",
        "4",
        "--only-reranked",
    )
    assert main(["rerank", *again]) == 0
    ranked = read_run(files / "out.trec")["q-one"]
    after = data["states"][1]["passages"]
    ranks = {passage["id"]: own["rank"] for passage, own in zip(data["passages"], after, strict=True)}
    assert ranks == {docid: rank for rank, (docid, _) in enumerate(ranked, 1)}
    scores = {passage["id"]: own["score"] for passage, own in zip(data["passages"], after, strict=True)}
    assert scores == pytest.approx(dict(ranked), rel=1e-5)
    before = [own["score"] for own in data["states"][0]["passages"]]
    assert before != [own["score"] for own in after]


def test_a_frozen_method_has_one_state_and_any_text_is_a_query(files: Path) -> None:
    given = ("--method", "icr", "--backbone", str(checkpoint("qwen3")))
    assert explain(files, "--query", "any text?", "--documents", str(files / "plain.txt"), *given) == 0
    data = data_of(files)
    assert [state["name"] for state in data["states"]] == [""]
    assert data["qid"] is None
    assert data["method"] == "ICR"
    assert [passage["id"] for passage in data["passages"]] == ["1", "2"]
    assert not data["judged"]
    # The label counts with ICR, and is told apart from the text.
    assert data["passages"][1]["words"][0] == ["", "[2]", "label"]
    assert data["kinds"] == ["weight", "attention", "null"]
    assert explain(files, "--query", "x", "--documents", str(files / "corpus.jsonl"), *given) == 0
    assert [passage["id"] for passage in data_of(files)["passages"]] == ["d0", "d1", "d2", "d3", "d4"]


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        (
            (
                "--query",
                "q-on",
            ),
            2,
            r"--query 'q-on': no query of .*run.trec; did you mean 'q-one'\?",
        ),
        (
            ("--query", "zzz"),
            2,
            "--query 'zzz': no query of .*such as 'q-one'. Another text needs --documents",
        ),
        (("--query", "q-two"), 2, "--query 'q-two': .*run.trec has no candidates"),
        (("--query", "q-one", "--documents", "plain.txt"), 2, "--documents .* leave --run out"),
        (("--query", "q-one", "--method", "yes-no"), 2, "yes-no: asks the model .* reads no attention"),
        (("--query", "q-one", "--method", "core"), 2, "--method core: needs --heads"),
        (("--query", "q-one", "--qrels", "absent"), 4, "absent: no such file"),
    ],
)
def test_faults_of_a_run_are_told_in_one_line(
    files: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], status: int, told: str
) -> None:
    method = () if "--method" in more else ("--method", "icr")
    given = ("--backbone", str(checkpoint("qwen3")), *of_run(files))
    assert explain(files, *more, *method, *given) == status
    printed = capsys.readouterr().err.strip().splitlines()
    assert re.fullmatch(f"error: .*{told}.*", printed[-1])
    assert not (files / "page.html").exists()


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        (("--documents", "absent.txt"), 4, "absent.txt: no such file"),
        (("--documents", "none.txt"), 5, "none.txt: no passage in the file"),
        (("--documents", "bad.jsonl"), 5, "bad.jsonl:1: key 'text' is missing"),
        (("--documents", "/dev/null"), 4, "/dev/null: is a device, expected a file"),
        (("--documents", "plain.txt", "--query", " "), 5, "explain: query '--query' has no text"),
        ((), 2, "--run with --collection .*, or --documents: give one of them"),
    ],
)
def test_faults_of_passages_are_told_in_one_line(
    files: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], status: int, told: str
) -> None:
    named = [str(files / word) if word.endswith((".txt", ".jsonl")) else word for word in more]
    query = () if "--query" in more else ("--query", "red oak")
    given = ("--method", "icr", "--backbone", str(checkpoint("qwen3")))
    assert explain(files, *query, *named, *given) == status
    printed = capsys.readouterr().err.strip().splitlines()
    assert re.fullmatch(f"error: .*{told}.*", printed[-1])
