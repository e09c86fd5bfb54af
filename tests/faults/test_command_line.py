"""The command line on bad input: one line on standard error, status 5 (or 2 for bad arguments), no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrank.cli import BAD_INPUT, main


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
    assert rerank(collection) == BAD_INPUT
    assert "headrank_config.json: no readable adapter description" in one_line(capsys)
    assert not (collection / "out.trec").exists()


@pytest.mark.parametrize("text", ["[1]", "{}", "not json"])
def test_a_malformed_adapter_description(
    text: str, collection: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (collection / "adapter").mkdir()
    (collection / "adapter" / "headrank_config.json").write_text(text, encoding="utf-8")
    assert rerank(collection) == BAD_INPUT
    assert "headrank_config.json: no readable adapter description" in one_line(capsys)


def test_an_output_that_cannot_be_written(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rerank(collection, output=collection) == BAD_INPUT
    assert one_line(capsys) == f"error: {collection}: is a folder; name the run file to write"
    assert rerank(collection, output=collection / "run.trec" / "out.trec") == BAD_INPUT
    assert one_line(capsys).startswith(f"error: {collection / 'run.trec'}: ")


@pytest.mark.parametrize("depth", ["0", "-3", "few"])
def test_a_depth_that_is_none(depth: str, collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        rerank(collection, "--depth", depth)
    assert caught.value.code == 2
    assert "--depth" in capsys.readouterr().err


def test_a_malformed_run(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (collection / "run.trec").write_text("q Q0 d 1\n", encoding="utf-8")
    assert rerank(collection) == BAD_INPUT
    assert "run.trec:1: expected 6 columns" in one_line(capsys)
    assert main(["evaluate", "--run", str(collection / "run.trec"), "--qrels", "none"]) == BAD_INPUT
    assert "run.trec:1: expected 6 columns" in one_line(capsys)
