"""The command line's own arguments, and the last resort for what nobody foresaw."""

from __future__ import annotations

import argparse
import errno
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from bad_files import NOT_FOUND, USAGE, Bad, cases, refused_by_command

from headrank import cli
from headrank.errors import INTERRUPTED, InputError, NotFoundError, PrerequisiteError, RunError, UsageError

RUN = RunError.exit_status


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "oak"}\n', encoding="utf-8")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "red oak"}\n', encoding="utf-8")
    (tmp_path / "run.trec").write_text("q Q0 d 1 1.0 tag\n", encoding="utf-8")
    (tmp_path / "qrels.trec").write_text("q 0 d 1\n", encoding="utf-8")
    return tmp_path


# The content of a case is its command, in which % stands for the folder of the files above.
RERANK = "rerank --collection % --run %/run.trec --output %/out.trec"
EVALUATE = "evaluate --run %/run.trec --qrels %/qrels.trec"


@cases(
    Bad("an unknown method", f"{RERANK} --method icrr", "--method icrr: unknown", USAGE),
    Bad("a method of studies", f"{RERANK} --method qrhead-own --backbone b", "--method qrhead-own: unknown", USAGE),
    Bad("no adapter", RERANK, "--method headrank: needs --adapter", USAGE),
    Bad("no backbone", f"{RERANK} --method icr", "--method icr: needs --backbone", USAGE),
    Bad("no heads", f"{RERANK} --method core --backbone b", "--method core: needs --heads", USAGE),
    Bad("heads for none", f"{RERANK} --method icr --backbone b --heads h", "--method icr: takes no --heads", USAGE),
    Bad("an adapter for none", f"{RERANK} --method icr --adapter a", "--method icr: is not trained", USAGE),
    Bad("answers of none", f"{RERANK} --method icr --backbone b --answers a", "--method icr: writes no answers", USAGE),
    Bad("a family beside an adapter", f"{RERANK} --adapter a --family qwen3", "--family: an adapter keeps", USAGE),
    Bad("an order of none", f"{RERANK} --method rankgpt --backbone b --order best-last", "has an order", USAGE),
    Bad("no texts", "rerank --run %/run.trec --output %/o --method icr --backbone b", "--queries and --corpus", USAGE),
    Bad("texts twice", "show %/run.trec --collection % --queries q --corpus c", "--queries and --corpus", USAGE),
    Bad("half of the texts", "show %/run.trec --queries %/queries.jsonl", "--queries and --corpus go together", USAGE),
    Bad("one run to fuse", "fuse --run %/run.trec --output %/o", "--run: name at least two runs to fuse", USAGE),
    Bad("a label twice", "show A=%/run.trec A=%/run.trec --collection %", "a second run with the label 'A'", USAGE),
    Bad("a query that no run has", "show %/run.trec --collection % --only x", "--only x: no run ranks this query", USAGE),
    Bad("an unknown metric", f"{EVALUATE} --metrics ndgc@10", "'ndgc@10' is unknown", USAGE),
    Bad("a metric twice", f"{EVALUATE} --metrics map map", "'map' is given twice", USAGE),
    Bad("a depth of 5000 digits", f"{EVALUATE} --metrics ndcg@{'9' * 5000}", "metrics: 'ndcg@999", USAGE),
    Bad("a level of a graded metric", f"{EVALUATE} --metrics ndcg(rel=2)@10", "counts every grade", USAGE),
    Bad("an unknown shape", "cost --backbone qwen9 --gpu h100", "shape 'qwen9' is unknown", USAGE),
    Bad("an unknown GPU", "cost --gpu z9", "GPU 'z9' is unknown", USAGE),
    Bad("an unknown method to measure", "bench --methods icrr", "bench: no method 'icrr'", USAGE),
    Bad("an output that is a folder", "fuse --run %/run.trec %/run.trec --output %", "is a folder; name the file", USAGE),
    Bad("an output below a file", "fuse --run %/run.trec %/run.trec --output %/run.trec/o", "not written: Not a directory \\(", RUN),
    Bad("an output below a device", "fuse --run %/run.trec %/run.trec --output /dev/null/o", "not written: Not a directory \\(", RUN),
    Bad("an output with a long name", f"fuse --run %/run.trec %/run.trec --output %/{'x' * 300}", "not written: File name too long", RUN),
    Bad("an output on a full disk", "fuse --run %/run.trec %/run.trec --output /dev/full", "/dev/full: not written: No space", RUN),
    Bad("a model that is nowhere", f"{RERANK} --method icr --backbone %/none", "no usable model configuration", NOT_FOUND),
    Bad("a GGUF file that is nowhere", f"{RERANK} --method icr --backbone %/none.gguf", "no such file", NOT_FOUND),
    Bad("a file for a model", f"{RERANK} --method icr --backbone %/run.trec", "a file, but neither GGUF nor", USAGE),
    Bad("a folder that is no model", f"{RERANK} --method icr --backbone %", "no usable model configuration .*No such file", NOT_FOUND),
    Bad("a revision of a folder", f"{RERANK} --method icr --backbone % --revision main", "a folder has no revision", USAGE),
)  # fmt: skip
def test_arguments_that_do_not_hold(
    bad: Bad, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = str(bad.content).replace("%", str(files)).split()
    refused_by_command(capsys, arguments, None, files, bad)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("rank",),
        ("heads",),
        ("heads", "find"),
        ("evaluate", "--run", "r"),
        ("evaluate", "--run", "r", "--qrels", "q", "--what"),
        ("heads", "detect", "--criterion", "cor"),
        ("rerank", "--order", "worst-first"),
        ("rerank", "--depth", "0"),
        ("rerank", "--depth", "forty"),
        ("rerank", "--truncate-words", "9", "--truncate-tokens", "9"),
        ("evaluate", "--order-by", "docid"),
        ("fuse", "-k", "-1"),
        ("cost", "--depth", "nan"),
        ("cost", "--n", "1e3"),
        ("cost", "--queries", "9" * 400),
        ("show",),
        ("explain", "--query", "q"),
        ("explain", "--output", "page.html"),
        ("check",),
        ("diff", "one"),
    ],
    ids=lambda words: " ".join(words)[:40] or "none",
)
def test_arguments_outside_the_grammar(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == USAGE
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("usage: ")
    assert ": error: " in told[-1]
    assert len(told[-1]) < 300


# --- kinds, and the last resort ---


def ended(monkeypatch: pytest.MonkeyPatch, run: Callable[[object], object]) -> int:
    """The exit status of a command that does this."""
    parsed = SimpleNamespace(parse_args=lambda _: argparse.Namespace(run_command=run))
    monkeypatch.setattr(cli, "parser", lambda: parsed)
    return cli.main([])


def raising(error: BaseException) -> Callable[[object], object]:
    def run(_: object) -> object:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("--k: 3"), 2, "--k: 3"),
        (PrerequisiteError("gguf: pip install gguf"), 3, "gguf: pip install gguf"),
        (NotFoundError("a: no such file"), 4, "a: no such file"),
        (InputError("a:3: cut\nhere\r\n"), 5, "a:3: cut here"),
        (RunError("layer 3: NaN"), 6, "layer 3: NaN"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a"),
            4,
            "a: No such file or directory",
        ),
        (FileNotFoundError("a is\nnot there"), 4, "input or output: a is not there"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), 4, "a: Permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a"), 4, "a: Not a directory"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), 6, "a: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), 6, "input or output: No space left on device"),
        (OSError(errno.EFBIG, "File too large", "a"), 6, "a: File too large"),
        (OSError(errno.EROFS, "Read-only file system", "a"), 6, "a: Read-only file system"),
        (OSError(errno.EIO, "Input/output error", "a"), 6, "a: Input/output error"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted"),
    ],
)
def test_each_kind_of_error_has_its_exit_status(
    error: BaseException,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(monkeypatch, raising(error)) == status
    assert capsys.readouterr().err == f"error: {line}\n"


def recursing(_: object) -> object:
    return recursing(_)


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (raising(KeyError("position")), "KeyError: 'position'"),
        (raising(ZeroDivisionError("division\nby zero")), "ZeroDivisionError: division by zero"),
        (raising(MemoryError()), "MemoryError"),
        (raising(AssertionError()), "AssertionError"),
        (recursing, "RecursionError: maximum recursion depth exceeded"),
        (lambda _: bytearray(1 << 62), "MemoryError"),
    ],
    ids=["KeyError", "two lines", "MemoryError", "no message", "RecursionError", "too much memory"],
)
def test_what_nobody_foresaw_is_one_line_and_a_file_with_the_traceback(
    run: Callable[[object], object],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert ended(monkeypatch, run) == RUN
    told = capsys.readouterr().err
    found = re.fullmatch(r"error: (.*) \(traceback in (.*)\)\n", told)
    assert found is not None, told
    assert found[1].startswith(line)
    assert "Traceback (most recent call last):" in Path(found[2]).read_text(encoding="utf-8")


def test_where_no_file_can_be_written_the_traceback_precedes_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null")
    assert ended(monkeypatch, raising(KeyError("position"))) == RUN
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "Traceback (most recent call last):"
    assert told[-1] == "error: KeyError: 'position'"


def test_a_reader_that_went_away_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert ended(monkeypatch, raising(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))) == 0
