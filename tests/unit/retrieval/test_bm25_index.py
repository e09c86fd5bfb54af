"""The BM25 index on disk: the library's own scores, from a stream, through memory maps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import bm25s
import numpy as np
import pytest
import Stemmer

from headrank.data.collections import Document
from headrank.errors import InputError
from headrank.retrieval.bm25_index import Bm25Index, build_index


def documents(number: int = 300) -> list[Document]:
    rng = random.Random(3)
    words = [f"{stem}{end}" for stem in ("run", "walk", "jump", "sail", "paint") for end in ("", "s", "ing")]
    words += ["the", "of", "Straße", "naïve", "x"]
    return [
        Document(f"d{i}", rng.choice(["", "Title Words"]), " ".join(rng.choices(words, k=rng.randint(0, 30))))
        for i in range(number)
    ]


def test_scores_are_those_of_the_library_on_the_whole_text(tmp_path: Path) -> None:
    """bm25s given all texts at once, against the index that saw them one by one."""
    texts = [f"{d.title} {d.text}".strip() for d in documents()]
    stemmer = Stemmer.Stemmer("english")
    whole = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    whole.index(
        bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False
    )
    build_index(documents(), tmp_path)
    index = Bm25Index(tmp_path)
    for query in ("running sails", "naïve painting of the Straße", "jumps jumps walk"):
        words = bm25s.tokenize(query, stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)
        np.testing.assert_allclose(index.scores(query), whole.get_scores(words[0]), rtol=1e-6)


def test_documents_are_read_once_and_not_kept(tmp_path: Path) -> None:
    alive: list[int] = []

    class Watched(str):
        def __del__(self) -> None:
            alive.append(-1)

    def stream() -> Iterator[Document]:
        for document in documents():
            alive.append(1)
            yield Document(document.docid, "", Watched(document.text))
            assert sum(alive) <= 3, "texts pile up in memory"

    build_index(stream(), tmp_path)
    assert alive.count(1) == 300


def test_the_index_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    build_index(documents(), tmp_path)
    index = Bm25Index(tmp_path)
    assert index._index is not None
    assert isinstance(index._index.scores["data"], np.memmap)
    assert isinstance(index._index.scores["indices"], np.memmap)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".tokens")]


def test_two_builds_are_byte_for_byte_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        build_index(documents(), tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_an_id_that_stands_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="id d7 appears twice"):
        build_index([*documents(9), Document("d7", "", "again")], tmp_path)


def test_no_words_and_unknown_words_find_nothing(tmp_path: Path) -> None:
    build_index([Document("a", "", ""), Document("b", "", "the of")], tmp_path / "empty")
    assert Bm25Index(tmp_path / "empty").search("anything", 5) == []
    build_index(documents(9), tmp_path / "some")
    assert Bm25Index(tmp_path / "some").search("zebra", 5) == []


@pytest.mark.parametrize("name", ["bm25.json", "docids.npy", "data.csc.index.npy"])
def test_a_damaged_index_is_refused(tmp_path: Path, name: str) -> None:
    build_index(documents(20), tmp_path)
    (tmp_path / name).write_bytes(b"{}"[: 2 if name.endswith("json") else 0])
    with pytest.raises(InputError, match=r"damaged one .*build it again"):
        Bm25Index(tmp_path)


def test_an_index_without_its_documents_is_refused(tmp_path: Path) -> None:
    build_index(documents(20), tmp_path)
    np.save(tmp_path / "docids.npy", np.array([b"d0", b"d1"]))
    with pytest.raises(InputError, match="its ids are of different documents"):
        Bm25Index(tmp_path)


@pytest.mark.parametrize(
    "text", ['{"terms": "a"}', "[]", '{"k1": NaN}', '{"k1": 1, "b": 1, "documents": 1, "terms": []}']
)
def test_a_description_of_the_wrong_types_is_refused(tmp_path: Path, text: str) -> None:
    build_index(documents(20), tmp_path)
    (tmp_path / "bm25.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"damaged one .*build it again"):
        Bm25Index(tmp_path)
