"""Damaged and malformed files end in one line that names the file and the line; nothing is read from them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrank.data.collections import open_collection, read_passages
from headrank.data.trec import read_qrels, read_run
from headrank.errors import InputError

GOOD = "q Q0 d1 1 3.0 tag\nq Q0 d2 2 2.0 tag\n"


def refused(reader: Callable[[Path], Any], path: Path) -> str:
    with pytest.raises(InputError) as caught:
        reader(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": the run is empty"),
        ("\n \n", ": the run is empty"),
        (GOOD + "q Q0 d3 3", ":3: expected 6 columns (qid Q0 docid rank score tag), found 4 and no line end"),
        (GOOD + "q Q0 d3 3 1.0\n", ":3: expected 6 columns"),
        (GOOD + "q Q0 d 3 3 1.0 tag\n", ":3: expected 6 columns"),
        (GOOD + "q Q0 d3 3 1.0 ta", ":3: the last line is cut in its tag"),
        (GOOD + "q Q0 d2 3 1.0 tag\n", ":3: document d2 appears twice for query q"),
        (GOOD + "q Q0 d3 third 1.0 tag\n", ":3: rank 'third' is not an integer"),
        (GOOD + f"q Q0 d3 {'3' * 5000} 1.0 tag\n", ":3: rank '333"),
        (GOOD + f"q Q0 d3 3 {'3' * 5000} tag\n", ":3: score '333"),
        (GOOD + "q Q0 d3 3 nan tag\n", ":3: score 'nan' is not a finite number"),
        (GOOD + "q Q0 d3 3 -inf tag\n", ":3: score '-inf' is not a finite number"),
        (GOOD + "q Q0 d3 3 1e400 tag\n", ":3: score '1e400' is not a finite number"),
        (GOOD + "q Q0 d3 3 1,5 tag\n", ":3: score '1,5' is not a finite number"),
        (GOOD + "q Q0 d3 3 1_0 tag\n", ":3: score '1_0' is not a finite number"),
        (GOOD + "q Q0 d3 3 ١ tag\n", ":3: score '١' is not a finite number"),
        (GOOD + "q Q0 d\u00a03 3 1.0 tag\n", ":3: document id"),
        (GOOD + "\nq\u2003 Q0 d3 3 1.0 tag\n", ":4: query id"),
    ],
)
def test_run(tmp_path: Path, text: str, expected: str):
    path = tmp_path / "run.trec"
    path.write_text(text, encoding="utf-8")
    assert refused(read_run, path).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": no judgement in the file"),
        ("q 0 d\n", ":1: expected 4 columns (qid 0 docid grade), found 3"),
        ("q 0 d 1 2\n", ":1: expected 4 columns"),
        ("q 0 d 1\nq 0 e 1.0\n", ":2: grade '1.0' is not an integer"),
        ("q 0 d 1\nq 0 e high\n", ":2: grade 'high' is not an integer"),
        ("q 0 d 1\nq 0 d 0\n", ":2: document d of query q has two grades, 1 and 0"),
        ("q 0 1 4827345\n", ":1: grade 4827345 is beyond +-1000"),
        (f"q 0 d {'9' * 5000}\n", ":1: grade '999"),
        (f"q 0 d -{'9' * 19}\n", ":1: grade -9999999999999999999 is beyond +-1000"),
    ],
)
def test_qrels(tmp_path: Path, text: str, expected: str):
    path = tmp_path / "qrels.trec"
    path.write_text(text, encoding="utf-8")
    assert refused(read_qrels, path).startswith(expected)


@pytest.mark.parametrize("reader", [read_run, read_qrels, read_passages])
def test_bytes_that_are_no_text(tmp_path: Path, reader: Callable[[Path], Any]):
    path = tmp_path / "file"
    path.write_bytes(b"\n\xff\xfe\n")
    assert refused(reader, path) == ":2: not UTF-8 text; convert the file to UTF-8"


@pytest.mark.parametrize("reader", [read_run, read_qrels, read_passages])
def test_missing_file_and_directory(tmp_path: Path, reader: Callable[[Path], Any]):
    assert refused(reader, tmp_path / "absent") == ": no such file"
    assert refused(reader, tmp_path).startswith(": is a directory")


def test_a_cut_gzip_is_not_a_shorter_run(tmp_path: Path):
    lines = "".join(f"q Q0 d{i} {i} {-i * 0.7} tag\n" for i in range(2000))
    whole = gzip.compress(lines.encode())
    path = tmp_path / "run.trec.gz"
    path.write_bytes(whole)
    assert len(read_run(path)["q"]) == 2000
    for size in (11, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "unexpected end" in refused(read_run, path)
    damaged = bytearray(whole)
    damaged[-8] ^= 0xFF  # the checksum
    path.write_bytes(damaged)
    assert "damaged gzip" in refused(read_run, path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"_id": "a", "text": "x"}\n{"_id": "b", "te', ":2: not valid JSON"),
        ('{"_id": "a", "text": "x"}\n\n["b"]\n', ":3: expected a JSON object"),
        ('{"id": "a", "text": "x"}\n', ":1: key '_id' is missing"),
        ('{"_id": 7, "text": "x"}\n', ":1: key '_id' holds 7, expected a string"),
        ('{"_id": "a"}\n', ":1: key 'text' is missing"),
        ('{"_id": "a", "text": null}\n', ":1: key 'text' holds None, expected a string"),
        ('{"_id": "a", "title": 3, "text": ""}\n', ":1: key 'title' holds 3, expected a string"),
        ('{"_id": "a b", "text": ""}\n', ":1: document id 'a b' is empty or holds blanks"),
        ('{"_id": "a", "text": "x"}\n{"_id": "a", "text": "y"}\n', ":2: document id a appears twice"),
    ],
)
def test_passages_and_corpora(tmp_path: Path, text: str, expected: str):
    path = tmp_path / "corpus.jsonl"
    path.write_text(text, encoding="utf-8")
    collection = open_collection("mine", {"source": "local", "path": str(tmp_path)})
    assert refused(read_passages, path).startswith(expected)
    assert refused(lambda _: list(collection.documents()), path).startswith(expected)
    assert refused(lambda _: collection.lookup(["a"]), path).startswith(expected)
