"""The command line on bad input: one line on standard error, the exit status of its kind, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrank.cli import main
from headrank.heads.head_set import HeadSet


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "collection"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text('{"_id": "d", "text": "red oak"}\n', encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "oak"}\n', encoding="utf-8")
    (folder / "run.trec").write_text("q Q0 d 1 1.0 tag\n", encoding="utf-8")
    return folder


def rerank(folder: Path, *more: str, output: Path | None = None) -> int:
    return main(
        [
            *("rerank", "--adapter", str(folder / "adapter"), "--collection", str(folder)),
            *("--run", str(folder / "run.trec"), "--output", str(output or folder / "out.trec"), *more),
        ]
    )


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_no_adapter(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rerank(collection) == 4
    assert "headrank_config.json: no readable adapter description" in one_line(capsys)
    assert not (collection / "out.trec").exists()


@pytest.mark.parametrize("text", ["[1]", "{}", "not json"])
def test_a_malformed_adapter_description(
    text: str, collection: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (collection / "adapter").mkdir()
    (collection / "adapter" / "headrank_config.json").write_text(text, encoding="utf-8")
    assert rerank(collection) == 5
    assert "headrank_config.json: no readable adapter description" in one_line(capsys)


def test_an_output_that_cannot_be_written(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rerank(collection, output=collection) == 2
    assert one_line(capsys) == f"error: {collection}: is a folder; name the file to write"
    assert rerank(collection, output=collection / "run.trec" / "out.trec") == 6
    assert one_line(capsys).startswith(f"error: {collection / 'run.trec' / 'out.trec'}: not written: ")


@pytest.mark.parametrize("depth", ["0", "-3", "few"])
def test_a_depth_that_is_none(depth: str, collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        rerank(collection, "--depth", depth)
    assert caught.value.code == 2
    assert "--depth" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("heads", "detect", "--seed", "-1"),
        ("heads", "detect", "--seed", str(2**32)),
        ("heads", "detect", "-k", "9" * 5000),
        ("fuse", "-k", "-1"),
        ("cost", "--n", "10000000"),
        ("cost", "--n", "1e3"),
        ("cost", "--n", "１２"),
        ("cost", "--depth", "nan"),
        ("cost", "--depth", "1.5"),
        ("cost", "--queries", "9" * 30),
        ("bench", "--slow", "nan"),
        ("bench", "--check", "-1"),
        ("bench", "--check", "inf"),
        ("bench", "--threads", "100000"),
        ("bench", "--depths", "0"),
        ("rerank", "--depth", "9" * 5000),
        ("show", "--width", "99999999999"),
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
def test_numbers_out_of_range(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert f"error: argument {arguments[-2]}: " in told
    assert len(told) < 250


def test_metrics_of_too_many_digits(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (collection / "qrels.trec").write_text("q 0 d 1\n", encoding="utf-8")
    files = ("--run", str(collection / "run.trec"), "--qrels", str(collection / "qrels.trec"))
    for metric in (f"ndcg@{'9' * 5000}", f"rr(rel={'9' * 5000})@10", "ndcg@99999999"):
        assert main(["evaluate", *files, "--metrics", metric]) == 2
        assert one_line(capsys).startswith(f"error: metrics: '{metric[:20]}"[:24])


def test_a_malformed_run(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (collection / "run.trec").write_text("q Q0 d 1\n", encoding="utf-8")
    assert rerank(collection) == 5
    assert "run.trec:1: expected 6 columns" in one_line(capsys)
    assert main(["evaluate", "--run", str(collection / "run.trec"), "--qrels", "none"]) == 5
    assert "run.trec:1: expected 6 columns" in one_line(capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "icrr"), "--method icrr: unknown"),
        (("--method", "core", "--backbone", "b"), "--method core: needs --heads, a head set"),
        (("--method", "icr", "--backbone", "b", "--heads", "h"), "--method icr: takes no --heads"),
        (("--method", "icr"), "--method icr: needs --backbone"),
        (("--method", "icr", "--adapter", "a"), "--method icr: is not trained"),
        (("--method", "qrranker"), "--method qrranker: needs --adapter"),
        ((), "--method headrank: needs --adapter"),
        (("--method", "icr", "--backbone", "b", "--answers", "a"), "--method icr: writes no answers"),
        (
            ("--method", "rankgpt", "--backbone", "b", "--order", "best-last"),
            "--method rankgpt: has an order",
        ),
    ],
)
def test_options_that_do_not_go_together(
    options: tuple[str, ...], message: str, collection: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ("--collection", str(collection), "--run", str(collection / "run.trec"), "--output", "none")
    assert main(["rerank", *options, *fixed]) == 2
    assert one_line(capsys).startswith(f"error: {message}")


@pytest.mark.parametrize(
    "texts", [(), ("--queries", "q.tsv"), ("--queries", "q.tsv", "--corpus", "c.tsv", "--collection", "c")]
)
def test_texts_are_named_once(
    texts: tuple[str, ...], collection: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ("--run", str(collection / "run.trec"), "--output", str(collection / "out.trec"))
    assert main(["rerank", "--method", "icr", "--backbone", "b", *texts, *fixed]) == 2
    assert one_line(capsys).startswith("error: --queries and --corpus")


def test_a_row_with_too_few_or_too_many_tabs(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (collection / "q.tsv").write_text("q\toak\nr\n", encoding="utf-8")
    (collection / "c.tsv").write_text("d\tred oak\n", encoding="utf-8")
    texts = ("--queries", str(collection / "q.tsv"), "--corpus", str(collection / "c.tsv"))
    fixed = ("--run", str(collection / "run.trec"), "--output", str(collection / "out.trec"))
    assert main(["rerank", "--method", "icr", "--backbone", "b", *texts, *fixed]) == 5
    assert one_line(capsys).endswith("q.tsv:2: expected 2 columns between tabs, found 1")
    (collection / "q.tsv").write_text("q\toak\n", encoding="utf-8")
    (collection / "c.tsv").write_text("d\thttp://x\tOak\tred oak\n", encoding="utf-8")
    assert main(["rerank", "--method", "icr", "--backbone", "b", *texts, *fixed]) == 5
    assert one_line(capsys).endswith("c.tsv:1: expected 2 or 3 columns between tabs, found 4")


def test_head_sets_of_other_shapes_or_none(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    HeadSet("core", "m", 4, 4, ((0, 1),), (1.0,)).save(collection / "one.json")
    HeadSet("core", "m", 4, 8, ((0, 1),), (1.0,)).save(collection / "two.json")
    assert main(["heads", "diff", str(collection / "one.json"), str(collection / "two.json")]) == 5
    assert "models of different shapes" in one_line(capsys)
    assert main(["heads", "show", str(collection / "none.json")]) == 4
    assert "none.json: no readable head set" in one_line(capsys)
