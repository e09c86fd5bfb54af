"""Queries and passages in JSON lines and between tabs, plain and compressed, and BEIR's folders of them."""

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

from headrank.cli import main
from headrank.data.beir import Document, read_documents, read_queries, write_queries
from headrank.data.collections import read_passages, write_passages

QUERIES = '{"_id": "q", "text": "oak"}\n{"_id": "r", "text": "elm"}\n'
CORPUS = '{"_id": "d1", "title": "t", "text": "red oak"}\n{"_id": "d2", "text": "elm"}\n'
QUERY_ROWS, CORPUS_ROWS = "q\toak\nr\telm\n", "d1\tt\tred oak\nd2\t\telm\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in (("queries.jsonl", QUERIES), ("corpus.jsonl", CORPUS), ("queries.tsv", QUERY_ROWS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "corpus.tsv").write_text(CORPUS_ROWS, encoding="utf-8")
    (tmp_path / "run.trec").write_text("q Q0 d1 1 2.0 tag\nq Q0 d2 2 1.0 tag\n", encoding="utf-8")
    return tmp_path


def show(files: Path, **changes: Path) -> list[str | Path]:
    texts = {"queries": files / "queries.jsonl", "corpus": files / "corpus.jsonl", **changes}
    return ["show", files / "run.trec", *(x for key, path in texts.items() for x in (f"--{key}", path))]


# What is wrong with a line of JSON, of queries and of passages alike.
LINES = (
    Bad("a line cut", '{"_id": "a", "te', ":3: not valid JSON"),
    Bad("no JSON", "oak", ":3: not valid JSON"),
    Bad("a list", '["a"]', ":3: expected a JSON object, found list"),
    Bad("a text", '"a"', ":3: expected a JSON object, found str"),
    Bad("null", "null", ":3: expected a JSON object, found NoneType"),
    Bad("two objects", '{"_id": "a", "text": "x"} {}', ":3: not valid JSON"),
    Bad("nested deeply", "[" * 100_000, ":3: not valid JSON"),
    Bad("an empty object", "{}", ":3: key '_id' is missing"),
    Bad("no id", '{"text": "x"}', ":3: key '_id' is missing; the line has 'text'"),
    Bad("the id under another key", '{"id": "a", "text": "x"}', ":3: key '_id' is missing; the line has 'id', 'text'"),
    Bad("a number for an id", '{"_id": 7, "text": "x"}', ":3: key '_id' holds 7, expected a string; put it in quotation marks"),
    Bad("null for an id", '{"_id": null, "text": "x"}', ":3: key '_id' holds None, expected a string"),
    Bad("an empty id", '{"_id": "", "text": "x"}', ":3: .* id '' is empty or holds blanks"),
    Bad("a blank in an id", '{"_id": "a b", "text": "x"}', ":3: .* id 'a b' is empty or holds blanks"),
    Bad("a tab in an id", '{"_id": "a\\tb", "text": "x"}', ":3: .* id .* is empty or holds blanks"),
    Bad("a line end in an id", '{"_id": "a\\nb", "text": "x"}', ":3: .* id 'a\\\\nb' is empty or holds blanks"),
    Bad("NUL in an id", '{"_id": "a\\u0000", "text": "x"}', ":3: .* id .* is empty or holds blanks"),
    Bad("half a pair in an id", '{"_id": "a\\ud83d", "text": "x"}', ":3: .* id .* is not valid Unicode"),
    Bad("no text", '{"_id": "a"}', ":3: key 'text' is missing"),
    Bad("null for a text", '{"_id": "a", "text": null}', ":3: key 'text' holds None, expected a string"),
    Bad("a number for a text", '{"_id": "a", "text": 3}', ":3: key 'text' holds 3, expected a string"),
    Bad("a list for a text", '{"_id": "a", "text": ["x"]}', ":3: key 'text' holds \\['x'\\], expected a string"),
    Bad("a huge value for a text", f'{{"_id": "a", "text": [{"1," * 9999}1]}}', ":3: key 'text' holds .*…"),
    Bad("a number of 5000 digits", f'{{"_id": {"9" * 5000}, "text": "x"}}', ":3: not valid JSON|holds int"),
    Bad("a control character", '{"_id": "a", "text": "x\ty\x01"}', ":3: not valid JSON"),
)  # fmt: skip


@cases(
    *(bad._replace(content=QUERIES + str(bad.content)) for bad in LINES),
    Bad("empty", "", "no query in the file"),
    Bad("blank lines alone", "\n\n", "no query in the file"),
    Bad("a query twice", QUERIES + '{"_id": "q", "text": "ash"}\n', ":3: query id q appears twice"),
    Bad("an id that is a comment", '{"_id": "#1", "text": "oak"}\n', ":1: query id '#1' begins with '#'"),
    Bad("Latin-1", b'{"_id": "q", "text": "caf\xe9"}\n', ":1: not UTF-8 text"),
    Bad("UTF-16", QUERIES.encode("utf-16"), ":1: not UTF-8 text"),
    Bad("one list of all", '[{"_id": "q", "text": "oak"}]', ":1: expected a JSON object, found list"),
    Bad("gzip cut", zipped(QUERIES)[:-6], ": unexpected end of the compressed file"),
    Bad("gzip with a wrong checksum", zipped(QUERIES)[:-8] + b"\0" * 8, ":3: damaged gzip"),
)
def test_bad_queries_are_refused(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoilt(files / "queries.jsonl", bad)
    refused_by_command(capsys, show(files), path, files, bad)


@cases(
    *(bad._replace(content=CORPUS + str(bad.content)) for bad in LINES),
    Bad("a passage twice", CORPUS + '{"_id": "d1", "text": "ash"}\n', ":3: document id d1 appears twice"),
    Bad("a number for a title", CORPUS + '{"_id": "a", "title": 3, "text": ""}\n', ":3: key 'title' holds 3"),
    Bad("an object for a title", CORPUS + '{"_id": "a", "title": {}, "text": ""}\n', ":3: key 'title' holds"),
    Bad("empty", "", "passage d1 of the runs is not there"),
    Bad("another corpus", '{"_id": "x", "text": "ash"}\n', "passage d1 of the runs is not there"),
    Bad("a passage that lacks", CORPUS.splitlines()[1], "passage d1 of the runs is not there"),
    Bad("Latin-1", b'{"_id": "d1", "text": "caf\xe9"}\n', ":1: not UTF-8 text"),
    Bad("gzip cut", zipped(CORPUS)[:-6], ": unexpected end of the compressed file"),
    Bad("gzip with a wrong checksum", zipped(CORPUS)[:-8] + b"\0" * 8, ":3: damaged gzip"),
    Bad("a zip archive", b"PK\x03\x04" + b"\xff" * 40, ":1: not UTF-8 text"),
    Bad("a line of 17 MiB", '{"_id": "a", "text": "' + "x" * (17 << 20) + '"}', ":1: a line of more than 16 MiB"),
)  # fmt: skip
def test_bad_passages_are_refused(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoilt(files / "corpus.jsonl", bad)
    refused_by_command(capsys, show(files), path, files, bad)


@cases(
    Bad("one column", f"{QUERY_ROWS}s\n", ":3: expected 2 columns between tabs, found 1"),
    Bad("blanks for a tab", "q oak\n", ":1: expected 2 columns between tabs, found 1"),
    Bad("no id", f"{QUERY_ROWS}\toak\n", ":3: query id '' is empty or holds blanks"),
    Bad("a blank in an id", f"{QUERY_ROWS}s t\toak\n", ":3: query id 's t' is empty or holds blanks"),
    Bad("an id twice", f"{QUERY_ROWS}q\tash\n", ":3: query id q appears twice"),
    Bad("an id that is a comment", "#q\toak\n", ":1: query id '#q' begins with '#'"),
    Bad("empty", "", "no query in the file"),
    Bad("Latin-1", b"q\tcaf\xe9\n", ":1: not UTF-8 text"),
    Bad("gzip cut", zipped(QUERY_ROWS)[:-6], ": unexpected end of the compressed file"),
)
def test_bad_queries_between_tabs_are_refused(
    bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoilt(files / "queries.tsv", bad)
    refused_by_command(capsys, show(files, queries=path), path, files, bad)


@cases(
    Bad("one column", f"{CORPUS_ROWS}d3\n", ":3: expected 2 or 3 columns between tabs, found 1"),
    Bad("four columns", "d1\thttp://x\tOak\tred oak\n", ":1: expected 2 or 3 columns between tabs, found 4"),
    Bad("no id", f"{CORPUS_ROWS}\tt\toak\n", ":3: document id '' is empty or holds blanks"),
    Bad("a blank in an id", f"{CORPUS_ROWS}d 3\tt\toak\n", ":3: document id 'd 3' is empty or holds blanks"),
    Bad("an id twice", f"{CORPUS_ROWS}d1\tt\tash\n", ":3: document id d1 appears twice"),
    Bad("Latin-1", b"d1\tt\tcaf\xe9\n", ":1: not UTF-8 text"),
    Bad("gzip cut", zipped(CORPUS_ROWS)[:-6], ": unexpected end of the compressed file"),
)
def test_bad_passages_between_tabs_are_refused(
    bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoilt(files / "corpus.tsv", bad)
    refused_by_command(capsys, show(files, corpus=path), path, files, bad)


@pytest.mark.parametrize("option", ["queries", "corpus"])
@cases(Bad("a file", "", "no such file", NOT_FOUND), Bad("a folder", "", "is a directory", NOT_FOUND))
def test_texts_that_are_not_there(
    option: str, bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files if bad.name == "a folder" else files / "none"
    refused_by_command(capsys, show(files, **{option: path}), path, files, bad)


@cases(
    Bad("the folder", "", "is not a directory", NOT_FOUND),
    Bad("queries.jsonl", "", "queries.jsonl does not exist", NOT_FOUND),
    Bad("corpus.jsonl", "", "corpus.jsonl does not exist", NOT_FOUND),
)
def test_what_a_collection_lacks(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = files / "none" if bad.name == "the folder" else files
    path = folder if bad.name == "the folder" else folder / bad.name
    path.unlink(missing_ok=True)
    refused_by_command(capsys, ["show", files / "run.trec", "--collection", folder], path, files, bad)


def test_a_collection_is_named_as_on_the_command_line(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "corpus.jsonl").unlink()
    words = ["show", str(files / "run.trec"), "--collection", str(files)]
    assert main(words) == NOT_FOUND
    assert capsys.readouterr().err == f"error: collection {files}: {files / 'corpus.jsonl'} does not exist\n"


@cases(
    Bad("queries.jsonl", f'{QUERIES}{{"_id": "s"}}\n', ":3: key 'text' is missing"),
    Bad("corpus.jsonl", f'{CORPUS}{{"_id": "s"}}\n', ":3: key 'text' is missing"),
    Bad("qrels.trec", "q 0 d1 many\n", ":1: grade 'many' is not an integer"),
)
def test_a_bad_file_of_a_collection(bad: Bad, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / bad.name).touch()
    path = spoilt(files / bad.name, bad)
    refused_by_command(capsys, ["show", files / "run.trec", "--collection", files], path, files, bad)


SOUND = {
    "queries.jsonl": (read_queries, QUERIES),
    "queries.tsv": (read_queries, QUERY_ROWS),
    "corpus.jsonl": (read_passages, CORPUS),
    "corpus.tsv": (lambda path: list(read_documents(path)), CORPUS_ROWS),
}


@pytest.mark.parametrize("name", SOUND)
@PROPERTY
@given(st.data())
def test_any_damage_is_read_or_refused(name: str, data: st.DataObject) -> None:
    reader, text = SOUND[name]
    path = SCRATCH / name
    path.write_bytes(data.draw(damaged(text.encode()) | damaged(zipped(text))))
    read_or_refused(reader, path)


IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=6).filter(
    lambda name: not name.startswith("#")
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@PROPERTY
@given(st.dictionaries(IDS, TEXTS, min_size=1, max_size=5))
def test_queries_that_were_written_are_read_again(queries: dict[str, str]) -> None:
    write_queries(SCRATCH / "queries.jsonl", queries)
    assert read_queries(SCRATCH / "queries.jsonl") == queries


@PROPERTY
@given(st.dictionaries(IDS, st.tuples(TEXTS, TEXTS), max_size=5))
def test_passages_that_were_written_are_read_again(texts: dict[str, tuple[str, str]]) -> None:
    documents = [Document(docid, title, text) for docid, (title, text) in texts.items()]
    write_passages(SCRATCH / "passages.jsonl", documents)
    assert list(read_passages(SCRATCH / "passages.jsonl").values()) == documents
