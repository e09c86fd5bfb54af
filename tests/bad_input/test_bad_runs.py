"""Runs: every line of a bad one is refused by its number; what is read is what a sound writer wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_files import (
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    Bad,
    cases,
    damaged,
    read_or_refused,
    refused_by_command,
    replaced,
    spoilt,
    zipped,
)
from hypothesis import given
from hypothesis import strategies as st

from headrank.data.trec import Run, read_run, write_run

GOOD = "q Q0 d1 1 3.0 tag\nq Q0 d2 2 2.0 tag\nr Q0 d1 1 1.5 tag\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "run.trec").write_text(GOOD, encoding="utf-8")
    (tmp_path / "other.trec").write_text(GOOD, encoding="utf-8")
    (tmp_path / "qrels.trec").write_text("q 0 d1 1\n", encoding="utf-8")
    return tmp_path


def added(line: str) -> str:
    return f"{GOOD}{line}"


@cases(
    Bad("empty", "", "the run is empty"),
    Bad("blank lines alone", "\n \n\t\n", "the run is empty"),
    Bad("comments alone", "# a\n# b\n", "the run is empty"),
    Bad("a line cut in its columns", added("q Q0 d3 3"), ":4: expected 6 columns .* no line end: the file seems cut"),
    Bad("four columns", added("q Q0 d3 3\n"), ":4: expected 6 columns .*found 4"),
    Bad("one column", added("q\n"), ":4: expected 6 columns .*found 1"),
    Bad("judgements", "q 0 d1 1\n", ":1: expected 6 columns .*found 4"),
    Bad("queries", "q\tsome text\n", ":1: expected 6 columns"),
    Bad("JSON", '{"q": {"d1": 3.0}}', ":1: expected 6 columns"),
    Bad("CSV", "q,Q0,d3,3,1.0,tag\n", ":1: expected 6 columns .*found 1"),
    Bad("a header", f"qid Q0 docid rank score tag\n{GOOD}", ":1: rank 'rank' is not an integer"),
    Bad("a blank in a document id", added("q Q0 d 3 3 1.0 tag\n"), ":4: expected 6 columns"),
    Bad("a tag cut", added("q Q0 d3 3 1.0 ta"), ":4: the last line is cut in its tag"),
    Bad("a document twice", added("q Q0 d2 3 1.0 tag\n"), ":4: document d2 appears twice for query q"),
    Bad("a document twice in separate blocks", added("q Q0 d1 9 0.1 tag\n"), ":4: document d1 appears twice"),
    Bad("a rank in words", added("q Q0 d3 third 1.0 tag\n"), ":4: rank 'third' is not an integer"),
    Bad("a rank with a fraction", added("q Q0 d3 3.0 1.0 tag\n"), ":4: rank '3.0' is not an integer"),
    Bad("a rank of 5000 digits", added(f"q Q0 d3 {'3' * 5000} 1.0 tag\n"), ":4: rank '333.*is not an integer"),
    Bad("a rank in other digits", added("q Q0 d3 ٣ 1.0 tag\n"), ":4: rank '٣' is not an integer"),
    Bad("a score of 5000 digits", added(f"q Q0 d3 3 {'3' * 5000} tag\n"), ":4: score '333.* not a finite number"),
    Bad("a score NaN", added("q Q0 d3 3 nan tag\n"), ":4: score 'nan' is not a finite number"),
    Bad("a score inf", added("q Q0 d3 3 inf tag\n"), ":4: score 'inf' is not a finite number"),
    Bad("a score -Infinity", added("q Q0 d3 3 -Infinity tag\n"), ":4: score '-Infinity' is not"),
    Bad("a score beyond floats", added("q Q0 d3 3 1e400 tag\n"), ":4: score '1e400' is not a finite number"),
    Bad("a decimal comma", added("q Q0 d3 3 1,5 tag\n"), ":4: score '1,5' is not a finite number"),
    Bad("an underscore in a score", added("q Q0 d3 3 1_0 tag\n"), ":4: score '1_0' is not a finite number"),
    Bad("a score in hexadecimal", added("q Q0 d3 3 0x1p3 tag\n"), ":4: score '0x1p3' is not a finite number"),
    Bad("a score in other digits", added("q Q0 d3 3 ١ tag\n"), ":4: score '١' is not a finite number"),
    Bad("a tensor for a score", added("q Q0 d3 3 tensor(0.3) tag\n"), ":4: score 'tensor"),
    Bad("score and rank exchanged", "q Q0 d1 3.5 1 tag\n", ":1: rank '3.5' is not an integer"),
    Bad("a no-break space in an id", added("q Q0 d\u00a03 3 1.0 tag\n"), ":4: document id"),
    Bad("a wide blank in a query id", added("\nq\u2003 Q0 d3 3 1.0 tag\n"), ":5: query id"),
    Bad("NUL in an id", added("q Q0 d\x003 3 1.0 tag\n"), ":4: document id"),
    Bad("a byte order mark in an id", added("q Q0 \ufeffd3 3 1.0 tag\n"), ":4: document id"),
    Bad("a line separator in an id", added("q Q0 d\u20283 3 1.0 tag\n"), ":4: document id"),
    Bad("Latin-1", b"q Q0 d\xe9 1 1.0 tag\n", ":1: not UTF-8 text"),
    Bad("UTF-16", GOOD.encode("utf-16"), ":1: not UTF-8 text"),
    Bad("a surrogate", added("q Q0 d\ud800 3 1.0 tag\n"), ":4: not UTF-8 text"),
    Bad("scores that are distances", "q Q0 a 1 1 t\nq Q0 b 2 2 t\nq Q0 c 3 3 t\n", "ranks and scores disagree"),
    Bad("all scores equal", "q Q0 a 1 1 t\nq Q0 b 2 1 t\nq Q0 c 3 1 t\n", "all 3 scores are equal"),
    Bad("gzip of nothing", zipped(""), "the run is empty"),
    Bad("gzip cut in its header", zipped(GOOD)[:5], ":1: unexpected end of the compressed file"),
    Bad("gzip cut in its middle", zipped(GOOD)[:30], ": unexpected end of the compressed file"),
    Bad("gzip without its checksum", zipped(GOOD)[:-4], ":4: unexpected end of the compressed file"),
    Bad("gzip with a wrong checksum", zipped(GOOD)[:-8] + b"\0" * 8, ":4: damaged gzip"),
    Bad("gzip with damage inside", zipped(GOOD)[:14] + b"\xff" * 6 + zipped(GOOD)[20:], ": damaged|unexpected end"),
    Bad("gzip twice", zipped(zipped(GOOD)), ":1: not UTF-8 text"),
    Bad("gzip and junk", zipped(GOOD) + b"junk", ":4: damaged gzip"),
    Bad("zstandard", b"\x28\xb5\x2f\xfd\x04\x00\x09\x00\x00", ":1: not UTF-8 text"),
    Bad("a line of 17 MiB", added("q" * (17 << 20)), ":4: a line of more than 16 MiB"),
    Bad("a document named twice by case", replaced("d2 2 2.0", "d1 2 2.0"), ":2: document d1 appears twice"),
)  # fmt: skip
def test_a_bad_run_is_refused(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoilt(files / "run.trec", bad)
    evaluate = ("evaluate", "--run", path, "--qrels", files / "qrels.trec")
    refused_by_command(capsys, evaluate, path, files, bad)
    fuse = ("fuse", "--run", files / "other.trec", path, "--output", files / "fused.trec")
    refused_by_command(capsys, fuse, path, files, bad)


@pytest.mark.parametrize(("name", "message"), [("none.trec", "no such file"), ("", "is a directory")])
def test_a_run_that_is_not_there(
    name: str, message: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files / name if name else files
    command = ("evaluate", "--run", path, "--qrels", files / "qrels.trec")
    refused_by_command(capsys, command, path, files, Bad(name, "", message, NOT_FOUND))


@PROPERTY
@given(damaged(GOOD.encode()) | damaged(zipped(GOOD)))
def test_any_damage_is_read_or_refused(content: bytes) -> None:
    path = SCRATCH / "run.trec"
    path.write_bytes(content)
    run = read_or_refused(read_run, path)
    assert run is None or all(run.values())


IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=6)
QIDS = IDS.filter(lambda name: not name.startswith("#"))
RUNS = st.dictionaries(QIDS, st.lists(IDS, min_size=1, max_size=6, unique=True), min_size=1, max_size=4)


@PROPERTY
@given(RUNS, st.sampled_from(["run.trec", "run.trec.gz"]))
def test_what_was_written_is_read_again(names: dict[str, list[str]], name: str) -> None:
    run: Run = {q: [(d, float(-i)) for i, d in enumerate(docids)] for q, docids in names.items()}
    write_run(SCRATCH / name, run, "tag")
    found = read_run(SCRATCH / name)
    assert {q: [d for d, _ in ranked] for q, ranked in found.items()} == names
    write_run(SCRATCH / f"again.{name}", found, "tag")
    assert (SCRATCH / f"again.{name}").read_bytes() == (SCRATCH / name).read_bytes()
