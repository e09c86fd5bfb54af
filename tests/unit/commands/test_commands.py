"""The command line: every method on files, head sets found, shown and compared, and the list of methods."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support import checkpoint, passages

from headrank import __version__
from headrank.cli import main
from headrank.data.trec import read_run
from headrank.generative.calls import read_calls
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router
from headrank.methods.table import ASKED, CRITERIA, FROZEN, METHODS, head_sets

HEADS = ((2, 1), (0, 3))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three queries with six candidates each, as JSON lines and as TSV, judgements, and a head set."""
    documents = passages(8)
    corpus = [json.dumps({"_id": d.docid, "title": d.title, "text": d.text}) for d in documents]
    (tmp_path / "corpus.jsonl").write_text("\n".join(corpus) + "\n", encoding="utf-8")
    rows = [f"{d.docid}\t{d.title}\t{d.text}" for d in documents]
    (tmp_path / "corpus.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    queries = {f"q{i}": f"red oak {i}" for i in range(3)}
    lines = [json.dumps({"_id": qid, "text": text}) for qid, text in queries.items()]
    (tmp_path / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "queries.tsv").write_text(
        "".join(f"{q}\t{t}\n" for q, t in queries.items()), encoding="utf-8"
    )
    run = [f"{qid} Q0 d{d} {d + 1} {9 - d} bm25" for qid in queries for d in range(6)]
    (tmp_path / "bm25.trec").write_text("\n".join(run) + "\n", encoding="utf-8")
    qrels = [f"{qid} 0 d{d} {2 if d == 3 else int(d == 5)}" for qid in queries for d in range(6)]
    (tmp_path / "qrels.trec").write_text("\n".join(qrels) + "\n", encoding="utf-8")
    HeadSet("core", "tiny", 4, 4, HEADS, (1.0, 0.5)).save(tmp_path / "heads.json")
    return tmp_path


def rerank(files: Path, method: str, *more: str, form: str = "jsonl") -> dict[str, list[tuple[str, float]]]:
    texts = ("--queries", str(files / f"queries.{form}"), "--corpus", str(files / f"corpus.{form}"))
    out = files / "out.trec"
    code = main(
        [
            *("rerank", "--method", method, "--backbone", str(checkpoint("qwen3")), *texts),
            *("--run", str(files / "bm25.trec"), "--output", str(out), "--device", "cpu", *more),
        ]
    )
    assert code == 0
    return read_run(out)


@pytest.mark.parametrize(
    "method", [name for name, entry in FROZEN.items() if not (entry.studies_only or entry.routed)]
)
def test_every_frozen_method_reranks_files(files: Path, method: str) -> None:
    heads = ("--heads", str(files / "heads.json")) if head_sets([method]) else ()
    found = rerank(files, method, *heads)
    assert {qid: sorted(d for d, _ in ranked) for qid, ranked in found.items()} == {
        f"q{i}": [f"d{d}" for d in range(6)] for i in range(3)
    }


@pytest.mark.parametrize("method", list(ASKED))
def test_every_generative_method_reranks_files_and_keeps_its_answers(files: Path, method: str) -> None:
    found = rerank(files, method, "--answers", str(files / "answers.jsonl.gz"))
    assert {qid: len(ranked) for qid, ranked in found.items()} == {"q0": 6, "q1": 6, "q2": 6}
    assert set(read_calls(files / "answers.jsonl.gz")["qid"]) == {"q0", "q1", "q2"}


def test_routehead_takes_its_router_s_file(files: Path) -> None:
    candidates = HeadSet("routehead", "tiny", 4, 4, ((1, 0), (3, 2)), (1.0, 0.5))
    numbers = (torch.zeros(48), torch.ones(48), torch.ones(2, 48), torch.ones(2, 2), torch.zeros(2))
    Router(candidates, 2, 1, 0.5, *numbers).save(files / "router.safetensors")
    found = rerank(files, "routehead", "--heads", str(files / "router.safetensors"))
    assert {len(ranked) for ranked in found.values()} == {6}


def test_tab_separated_files_give_the_same(files: Path) -> None:
    assert rerank(files, "icr", form="tsv") == rerank(files, "icr")


def test_depth_and_order_reach_the_method(files: Path) -> None:
    cut = rerank(files, "icr", "--depth", "4", "--only-reranked")
    assert {len(ranked) for ranked in cut.values()} == {4}
    assert rerank(files, "icr", "--order", "best-last") != rerank(files, "icr")


@pytest.mark.parametrize("criterion", list(CRITERIA))
def test_heads_are_detected_on_files(files: Path, criterion: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = files / "found.json"
    arguments = [
        *("heads", "detect", "--criterion", criterion, "--backbone", str(checkpoint("qwen3"))),
        *(
            "--collection",
            str(files),
            "--run",
            str(files / "bm25.trec"),
            "--qrels",
            str(files / "qrels.trec"),
        ),
        *("--output", str(out), "-k", "3", "--device", "cpu"),
    ]
    assert main(arguments) == 0
    heads = HeadSet.load(out)
    assert heads.method == criterion
    assert len(heads.heads) == {"selective-icr": 16, "best-layer": 4}.get(criterion, len(heads.heads))
    assert criterion in ("selective-icr", "best-layer") or 0 < len(heads.heads) <= 3
    assert f"{criterion}, {len(heads.heads)} of 16 heads" in capsys.readouterr().out


def test_head_sets_are_shown_and_compared(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    HeadSet("qrhead", "tiny", 4, 4, ((2, 1), (3, 0)), (0.9, 0.8), {}, {"temperature": 0.1}).save(
        files / "others.json"
    )
    assert main(["heads", "show", str(files / "others.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["  depth 4 of 4 layers", "  temperature: 0.1", "  2-1\t0.9000", "  3-0\t0.8000"]
    assert main(["heads", "diff", str(files / "heads.json"), str(files / "others.json")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "shared 1 of 3 (Jaccard 0.33)",
        "both: 2-1",
        "heads.json: 0-3",
        "others.json: 3-0",
    ]


def test_every_method_is_listed_unless_it_makes_sense_in_a_study_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["methods"]) == 0
    printed = capsys.readouterr().out
    for name, entry in METHODS.items():
        assert (f"  {name} " in printed) != entry.studies_only, name
        assert entry.studies_only or (entry.about and entry.cost), name


def test_the_version_is_told_and_is_the_same_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"headrank {__version__}\n"
    root = Path(__file__).resolve().parents[3]
    assert f'\nversion = "{__version__}"\n' in (root / "pyproject.toml").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")


def test_runs_are_fused_by_reciprocal_rank(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = files / "other.trec"
    other.write_text("q0 Q0 d5 1 2.0 x\nq0 Q0 d0 2 1.0 x\n", encoding="utf-8")
    out = files / "fused.trec"
    runs = ("--run", str(files / "bm25.trec"), str(other))
    assert main(["fuse", *runs, "--output", str(out)]) == 0
    fused = read_run(out)
    # d5: 1 / 61 + 1 / 66, d0: 1 / 61 + 1 / 62; the others stand in BM25's order.
    assert [docid for docid, _ in fused["q0"]] == ["d0", "d5", "d1", "d2", "d3", "d4"]
    assert [docid for docid, _ in fused["q1"]] == [f"d{i}" for i in range(6)]
    assert capsys.readouterr().err == f"note: {other} lacks 2 of the 3 queries of all runs: q1, q2\n"
    assert main(["fuse", "--run", str(other), "--output", str(out)]) == 2
    assert capsys.readouterr().err == "error: --run: name at least two runs to fuse\n"
    assert read_run(out) == fused


def test_a_missing_command_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main([])
    told = capsys.readouterr().err
    assert told.startswith("usage: headrank [-h] [--version] COMMAND ...\n")
    assert "COMMAND" in told.splitlines()[-1]
