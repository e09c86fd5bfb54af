"""Collections: the same documents whichever way they are stored, and only those asked for."""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrank.data.beir import write_queries
from headrank.data.collections import Document, open_collection, read_passages, write_passages
from headrank.errors import InputError


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text(
        lines(
            {"_id": "a", "title": "A title", "text": "first"},
            {"_id": "b", "text": ""},
            {"_id": "c", "title": "", "text": "third\u2028line", "metadata": {"url": "x"}},
        )
    )
    (tmp_path / "queries.jsonl").write_text(lines({"_id": "q2", "text": "two"}, {"_id": "q1", "text": ""}))
    (tmp_path / "qrels.trec").write_text("q1 0 a 2\nq2 0 b 0\n")
    return tmp_path


def local(folder: Path):
    return open_collection("mine", {"source": "local", "path": str(folder), "depth": 40})


def test_queries_that_are_written_are_read_again(folder: Path):
    queries = {"z": "Zürich", "a": "two\u2028lines", "empty": ""}
    write_queries(folder / "queries.jsonl", queries)
    assert list(local(folder).queries().items()) == list(queries.items())
    assert "Zürich" in (folder / "queries.jsonl").read_text(encoding="utf-8")


def test_local_files(folder: Path):
    collection = local(folder)
    assert collection.name == "mine"
    assert list(collection.documents()) == [
        Document("a", "A title", "first"),
        Document("b", "", ""),
        Document("c", "", "third\u2028line"),
    ]
    assert list(collection.queries().items()) == [("q2", "two"), ("q1", "")]
    assert collection.qrels() == {"q1": {"a": 2}, "q2": {"b": 0}}


def test_lookup_gives_what_is_asked_for_in_that_order(folder: Path):
    found = local(folder).lookup(iter(["c", "a", "c"]))
    assert list(found) == ["c", "a"]
    assert found["c"].text == "third\u2028line"


def test_lookup_names_what_is_missing(folder: Path):
    with pytest.raises(InputError, match=r"corpus\.jsonl: 7 of 8 documents .* such as 0, 1, 2, 3, 4;"):
        local(folder).lookup(["a", *map(str, range(7))])


def test_compressed_files(folder: Path):
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.trec"):
        data = (folder / name).read_bytes()
        (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        (folder / name).unlink()
    assert [d.docid for d in local(folder).documents()] == ["a", "b", "c"]
    assert local(folder).qrels()["q1"] == {"a": 2}


def test_a_corpus_may_be_absent_until_it_is_needed(folder: Path):
    (folder / "corpus.jsonl").unlink()
    collection = local(folder)
    assert set(collection.queries()) == {"q1", "q2"}
    for use in (lambda: list(collection.documents()), lambda: collection.lookup(["a"])):
        with pytest.raises(InputError, match=r"collection mine: .*corpus\.jsonl does not exist"):
            use()


def test_queries_are_checked(folder: Path):
    (folder / "queries.jsonl").write_text(lines({"_id": "q", "text": "x"}, {"_id": "q", "text": "x"}))
    with pytest.raises(InputError, match=r"queries\.jsonl:2: query id q appears twice"):
        local(folder).queries()
    (folder / "queries.jsonl").write_text("")
    with pytest.raises(InputError, match="no query"):
        local(folder).queries()


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({}, "unknown source None"),
        ({"source": "web"}, "unknown source 'web'; known: local, ir_datasets"),
        ({"source": "local"}, "key 'path' is missing"),
        ({"source": "ir_datasets", "path": "x"}, "key 'id' is missing"),
        ({"source": "local", "path": "/no/such/folder"}, "/no/such/folder is not a directory"),
    ],
)
def test_specifications_are_checked(spec, word):
    with pytest.raises(InputError, match=f"collection mine: .*{word}"):
        open_collection("mine", spec)


def test_surrogate_halves_become_replacement_characters(tmp_path: Path):
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "x\\ud83d y", "title": "\\ude00"}\n')
    document = next(local(tmp_path).documents())
    assert document == Document("a", "\ufffd", "x\ufffd y")
    write_passages(tmp_path / "p.jsonl", [Document("a", "", "\ud800")])
    assert read_passages(tmp_path / "p.jsonl")["a"].text == "\ufffd"


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(st.lists(st.tuples(texts, texts), max_size=6))
def test_passages_come_back(tmp_path: Path, pairs):
    """Any text does, with line separators, NUL and control tokens in it."""
    passages = [Document(str(i), title, text) for i, (title, text) in enumerate(pairs)]
    write_passages(tmp_path / "passages.jsonl", passages)
    assert list(read_passages(tmp_path / "passages.jsonl").values()) == passages


def test_passages_are_written_whole_or_not_at_all(tmp_path: Path):
    for bad in ([Document("a", "", ""), Document("a", "", "")], [Document("a b", "", "")]):
        with pytest.raises(InputError, match=r"p\.jsonl"):
            write_passages(tmp_path / "p.jsonl", bad)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def catalogue_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A real ``ir_datasets`` data set made of local files, so that nothing is downloaded."""
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    ir_datasets = pytest.importorskip("ir_datasets")
    (tmp_path / "docs.tsv").write_text("d1\tone\nd2\ttwo words\n")
    (tmp_path / "queries.tsv").write_text("q1\twhat\n")
    (tmp_path / "qrels.trec").write_text("q1 0 d2 -1\nq1 0 d1 3\n")
    name = f"headrank-test-{uuid.uuid4().hex}"
    ir_datasets.registry.register(
        name,
        ir_datasets.create_dataset(
            str(tmp_path / "docs.tsv"), str(tmp_path / "queries.tsv"), str(tmp_path / "qrels.trec")
        ),
    )
    return name


def test_ir_datasets(catalogue_id: str):
    collection = open_collection("mine", {"source": "ir_datasets", "id": catalogue_id})
    assert list(collection.documents()) == [Document("d1", "", "one"), Document("d2", "", "two words")]
    assert collection.queries() == {"q1": "what"}
    assert collection.qrels() == {"q1": {"d2": -1, "d1": 3}}
    assert collection.lookup(["d2"]) == {"d2": Document("d2", "", "two words")}
    with pytest.raises(InputError, match=f"{catalogue_id}: 1 of 2 documents .* such as d9"):
        collection.lookup(["d1", "d9"])


def test_ir_datasets_lookup_does_not_iterate(catalogue_id: str, monkeypatch: pytest.MonkeyPatch):
    collection = open_collection("mine", {"source": "ir_datasets", "id": catalogue_id})
    assert len(collection.lookup(["d1"])) == 1  # builds the store, which has to read the documents once
    monkeypatch.setattr(collection, "documents", lambda: pytest.fail("iterated over the whole collection"))
    assert collection.lookup(["d1"])["d1"].text == "one"


def test_ir_datasets_names_what_it_does_not_know(catalogue_id: str, tmp_path: Path):
    with pytest.raises(InputError, match="no 'cranfeild'; did you mean cranfield"):
        open_collection("mine", {"source": "ir_datasets", "id": "cranfeild"})
    collection = open_collection("mine", {"source": "ir_datasets", "id": catalogue_id})
    (tmp_path / "qrels.trec").unlink()
    with pytest.raises(InputError, match=f"{catalogue_id}: ir_datasets could not read it"):
        collection.qrels()


def test_catalogued_records_of_several_shapes():
    """Titles are used where a record type has them; cranfield in the catalogue has both fields."""
    ir_datasets = pytest.importorskip("ir_datasets")
    from headrank.data.collections import _document

    record = ir_datasets.load("cranfield").docs_cls()("7", "a title", "the text", "author", "bib")
    assert _document(record) == Document("7", "a title", "the text")
    record = ir_datasets.load("msmarco-passage-v2").docs_cls()("p1", "passage", "spans", "D1")
    assert _document(record) == Document("p1", "", "passage")
