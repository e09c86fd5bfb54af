"""Runs, judgements, topics and passages as they are found elsewhere: comments, tabs, names, pipes."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrank.data.beir import Document, read_documents, read_queries, write_queries
from headrank.data.trec import read_qrels, read_run, read_tag, read_tagged_run
from headrank.errors import InputError

RUN = "q Q0 a 1 2.0 t\nq Q0 b 2 1.0 t\n"
READ = {"q": [("a", 2.0), ("b", 1.0)]}


def put(folder: Path, text: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "# ir_metadata.start\n# platform:\n#   hardware:\n#     cpu: x y z\n# ir_metadata.end\n" + RUN,
        "\ufeff#comment\r\n" + RUN.replace("\n", "\r\n"),
        RUN.replace("b 2", "b 2", 1).replace("\nq", "\n  # between\nq", 1),
        "q Q0 a 1 2.0 t extra words\nq Q0 b 2 1.0 t 7\n",
        "q\tQ0\ta\t1\t2.0\tt\tx\nq\tQ0\tb\t2\t1.0\tt\n#",
    ],
)
def test_comments_and_words_after_the_tag_of_a_run_are_skipped(tmp_path: Path, text: str) -> None:
    path = put(tmp_path, text)
    assert read_tagged_run(path) == (READ, "t")
    assert read_tag(path) == "t"


@pytest.mark.parametrize(
    "line",
    ["q Q0 a 3 3 1.0 t", "q Q0 a 3 2 0.5 t", "q Q0 a 1 2.0 7 words", "q Q0 a b 1 2.0 t", "q x Q0 a 1 2.0 t"],
)
def test_an_id_with_a_blank_is_not_taken_for_words_after_the_tag(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=":1: "):
        read_run(put(tmp_path, f"{line}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "# judged by hand\nq 0 a 1\nq 0 b -2 # not at all\n#q 0 c 1\n",
        "q 0 a 1 #\nq\t0\tb\t-2\n\n# q 0 c 3",
        "query-id\tcorpus-id\tscore\nq\ta\t1\nq\tb\t-2\n",
    ],
)
def test_comments_and_beir_s_header_in_judgements(tmp_path: Path, text: str) -> None:
    assert read_qrels(put(tmp_path, text)) == {"q": {"a": 1, "b": -2}}


def test_a_comment_that_may_be_a_judgement_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_qrels(put(tmp_path, "# free text here\n#q 0 c 1\nq 0 a 1\n"))
    assert "file: 1 lines that begin with '#' are read as comments" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# only\n#comments\n", "no judgement in the file"),
        ("q 0 a 1 2\n", ":1: expected 4 columns"),
        ("q 0 a # 1\n", ":1: expected 4 columns"),
        ("q a 1\n", ":1: expected 4 columns"),
        (f"q 0 a {'9' * 5000}\n", ":1: grade '999"),
    ],
)
def test_judgements_without_a_grade_are_refused_in_a_short_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_qrels(put(tmp_path, text))
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["topics.txt", "topics.tsv", "topics", "queries.jsonl"])
def test_topics_between_tabs_are_read_under_any_name(tmp_path: Path, name: str) -> None:
    path = put(
        tmp_path, "\ufeff301\tInternational crime\r\n\r\n302\tpolio\tand its {vaccines}\n303\t\n", name
    )
    assert read_queries(path) == {
        "301": "International crime",
        "302": "polio\tand its {vaccines}",
        "303": "",
    }


def test_the_first_line_says_how_many_columns_a_corpus_has(tmp_path: Path) -> None:
    two = put(tmp_path, "a\tred oak\nb\tblue\telm\n", "two.txt")
    assert [*read_documents(two)] == [Document("a", "", "red oak"), Document("b", "", "blue\telm")]
    three = put(tmp_path, "a\tTree\tred oak\nb\t\tblue\telm\n", "three.txt.gz")
    assert [*read_documents(three)] == [Document("a", "Tree", "red oak"), Document("b", "", "blue\telm")]
    with pytest.raises(InputError, match=r"four:1: expected 2 or 3 columns between tabs, found 4"):
        list(read_documents(put(tmp_path, "a\thttp://x\tTree\tred oak\n", "four")))


def test_json_with_tabs_is_json(tmp_path: Path) -> None:
    assert read_queries(put(tmp_path, '{"_id":\t"q",\t"text": "red\toak"}\n'.replace("red\t", "red\\t"))) == {
        "q": "red\toak"
    }


def test_a_title_may_be_null_but_no_text(tmp_path: Path) -> None:
    path = put(tmp_path, '{"_id": "a", "title": null, "text": "x"}\n')
    assert [*read_documents(path)] == [Document("a", "", "x")]
    with pytest.raises(InputError, match=":1: key 'text' holds None, expected a string"):
        list(read_documents(put(tmp_path, '{"_id": "a", "title": null, "text": null}\n')))


def test_halves_of_surrogate_pairs_in_queries_become_replacement_characters(tmp_path: Path) -> None:
    assert read_queries(put(tmp_path, '{"_id": "q", "text": "red \\ud83d oak"}\n')) == {"q": "red \ufffd oak"}
    write_queries(tmp_path / "out.jsonl", {"q": "red \ude00"})
    assert read_queries(tmp_path / "out.jsonl") == {"q": "red \ufffd"}


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (read_tagged_run, RUN, (READ, "t")),
        (read_qrels, "q 0 a 1\n", {"q": {"a": 1}}),
        (read_queries, "q\tred oak\n", {"q": "red oak"}),
        (lambda path: [*read_documents(path)], '{"_id": "a", "text": "x"}\n', [Document("a", "", "x")]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_like_a_file(
    read: Callable[[Path], Any], text: str, expected: object, packed: bool
) -> None:
    """As a shell's ``<(zcat run.gz)`` passes it on; it cannot be wound back."""
    data = gzip.compress(text.encode()) if packed else text.encode()
    out, into = os.pipe()

    def fill() -> None:
        with os.fdopen(into, "wb") as stream:
            stream.write(data)

    writer = threading.Thread(target=fill)
    writer.start()
    try:
        assert read(Path(f"/dev/fd/{out}")) == expected
    finally:
        writer.join()
        os.close(out)
