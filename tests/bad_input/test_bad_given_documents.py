"""Passages of one query in a file of their own (``headrank explain --documents``)."""

from __future__ import annotations

from pathlib import Path

from bad_files import (
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    Bad,
    cases,
    damaged,
    read_or_refused,
    refused_by_reader,
    zipped,
)
from hypothesis import given
from hypothesis import strategies as st

from headrank.commands.given_documents import read_given_documents
from headrank.data.beir import Document

PLAIN, LINES, ROWS = "red oak\n\n elm \n", '{"_id": "d1", "text": "red oak"}\n', "d1\tred oak\n"


@cases(
    Bad("empty", "", "no passage in the file"),
    Bad("blank lines alone", "\n \n", "no passage in the file"),
    Bad("text after JSON", f"{LINES}elm\n", ":2: not valid JSON"),
    Bad("text after a table", f"{ROWS}elm\n", ":2: expected 2 or 3 columns between tabs, found 1"),
    Bad("an id twice", LINES * 2, ":2: document id d1 appears twice"),
    Bad("Latin-1", b"caf\xe9\n", ":1: not UTF-8 text"),
    Bad("gzip cut", zipped(PLAIN)[:-6], "unexpected end of the compressed file"),
    Bad("a whole corpus", "oak\n" * 10_001, "more than 10000 passages"),
    Bad(
        "a whole corpus of JSON",
        "".join(f'{{"_id": "{i}", "text": ""}}\n' for i in range(10_001)),
        "more than",
    ),
)
def test_bad_passages_of_their_own_are_refused(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "passages"
    assert isinstance(bad.content, str | bytes)
    path.write_bytes(bad.content.encode() if isinstance(bad.content, str) else bad.content)
    refused_by_reader(read_given_documents, path, bad)


@cases(
    Bad("nothing", "", "no such file", NOT_FOUND),
    Bad("a folder", "", "is a directory", NOT_FOUND),
)
def test_passages_of_their_own_that_are_not_there(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "passages"
    if bad.name == "a folder":
        path.mkdir()
    refused_by_reader(read_given_documents, path, bad)


def test_the_three_forms_are_told_apart_by_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "passages"
    for text, expected in (
        (PLAIN, [Document("1", "", "red oak"), Document("2", "", "elm")]),
        (LINES, [Document("d1", "", "red oak")]),
        (ROWS, [Document("d1", "", "red oak")]),
    ):
        path.write_text(text, encoding="utf-8")
        assert read_given_documents(path) == expected


@given(st.sampled_from([PLAIN, LINES, ROWS]).flatmap(lambda text: damaged(text.encode())))
@PROPERTY
def test_any_passages_of_their_own_are_read_or_refused(content: bytes) -> None:
    path = SCRATCH / "given-documents"
    path.write_bytes(content)
    found = read_or_refused(read_given_documents, path)
    assert found is None or all(isinstance(document, Document) for document in found)
