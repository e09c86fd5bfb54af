"""Judgements: every line of a bad file is refused by its number."""

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
    spoilt,
    zipped,
)
from hypothesis import given
from hypothesis import strategies as st

from headrank.data.trec import read_qrels, write_qrels

GOOD = "q 0 d1 2\nq 0 d2 0\nr 0 d1 1\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "qrels.trec").write_text(GOOD, encoding="utf-8")
    (tmp_path / "run.trec").write_text("q Q0 d1 1 3.0 tag\n", encoding="utf-8")
    return tmp_path


def added(line: str) -> str:
    return f"{GOOD}{line}"


@cases(
    Bad("empty", "", "no judgement in the file"),
    Bad("blank lines alone", "\n\t\n", "no judgement in the file"),
    Bad("comments alone", "# none\n", "no judgement in the file"),
    Bad("a header alone", "query-id\tcorpus-id\tscore\n", "no judgement in the file"),
    Bad("three columns", added("q 0 d3\n"), ":4: expected 4 columns .*found 3"),
    Bad("five columns", added("q 0 d3 1 2\n"), ":4: expected 4 columns .*found 5"),
    Bad("a line cut", added("q 0"), ":4: expected 4 columns .*found 2"),
    Bad("a run", "q Q0 d1 1 3.0 tag\n", ":1: expected 4 columns .*found 6"),
    Bad("CSV", "q,0,d1,1\n", ":1: expected 4 columns .*found 1"),
    Bad("JSON", '{"q": {"d1": 1}}\n', ":1: expected 4 columns"),
    Bad("a header in the middle", added("query-id corpus-id score\n"), ":4: expected 4 columns .*found 3"),
    Bad("a grade with a fraction", added("q 0 d3 1.0\n"), ":4: grade '1.0' is not an integer"),
    Bad("a grade in words", added("q 0 d3 high\n"), ":4: grade 'high' is not an integer"),
    Bad("a grade NaN", added("q 0 d3 nan\n"), ":4: grade 'nan' is not an integer"),
    Bad("a grade in other digits", added("q 0 d3 ٢\n"), ":4: grade '٢' is not an integer"),
    Bad("a grade with an exponent", added("q 0 d3 1e2\n"), ":4: grade '1e2' is not an integer"),
    Bad("an id for a grade", added("q 0 1 4827345\n"), ":4: grade 4827345 is beyond \\+-1000"),
    Bad("a grade far below 0", added(f"q 0 d3 -{'9' * 19}\n"), ":4: grade -9{19} is beyond"),
    Bad("a grade of 5000 digits", added(f"q 0 d3 {'9' * 5000}\n"), ":4: grade '999.*is not an integer"),
    Bad("two grades", added("q 0 d1 0\n"), ":4: document d1 of query q has two grades, 2 and 0"),
    Bad("two grades in BEIR's columns", "query-id corpus-id score\nq d 1\nq d 2\n", ":3: document d of query q has two"),
    Bad("a no-break space in an id", added("q 0 d\u00a03 1\n"), ":4: document id"),
    Bad("NUL in a query id", added("q\x00 0 d3 1\n"), ":4: query id"),
    Bad("Latin-1", b"q 0 d\xe9 1\n", ":1: not UTF-8 text"),
    Bad("UTF-16", GOOD.encode("utf-16"), ":1: not UTF-8 text"),
    Bad("gzip cut", zipped(GOOD)[:-9], ": unexpected end of the compressed file"),
    Bad("gzip with a wrong checksum", zipped(GOOD)[:-8] + b"\0" * 8, ":4: damaged gzip"),
    Bad("a line of 17 MiB", "q" * (17 << 20), ":1: a line of more than 16 MiB"),
)  # fmt: skip
def test_bad_judgements_are_refused(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoilt(files / "qrels.trec", bad)
    refused_by_command(capsys, ("evaluate", "--run", files / "run.trec", "--qrels", path), path, files, bad)


@cases(
    Bad("a file", "", "no such file", NOT_FOUND),
    Bad("a folder", "", "is a directory", NOT_FOUND),
)
def test_judgements_that_are_not_there(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = files if bad.name == "a folder" else files / "none"
    refused_by_command(capsys, ("evaluate", "--run", files / "run.trec", "--qrels", path), path, files, bad)


@PROPERTY
@given(damaged(GOOD.encode()) | damaged(zipped(GOOD)))
def test_any_damage_is_read_or_refused(content: bytes) -> None:
    path = SCRATCH / "qrels.trec"
    path.write_bytes(content)
    qrels = read_or_refused(read_qrels, path)
    assert qrels is None or all(abs(g) <= 1000 for judged in qrels.values() for g in judged.values())


IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=6).filter(
    lambda name: not name.startswith("#")
)
QRELS = st.dictionaries(
    IDS, st.dictionaries(IDS, st.integers(-1000, 1000), min_size=1, max_size=5), min_size=1
)


@PROPERTY
@given(QRELS, st.sampled_from(["qrels.trec", "qrels.trec.gz"]))
def test_what_was_written_is_read_again(qrels: dict[str, dict[str, int]], name: str) -> None:
    write_qrels(SCRATCH / name, qrels)
    assert read_qrels(SCRATCH / name) == qrels
