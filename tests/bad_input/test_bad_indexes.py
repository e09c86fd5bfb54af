"""First stages' indexes on disk: BM25's postings and dense vectors."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from bad_files import (
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    Bad,
    any_json,
    cases,
    cut,
    damaged,
    read_or_refused,
    refused_by_reader,
    spoilt,
    with_keys,
)
from hypothesis import given
from hypothesis import strategies as st

from headrank.data.collections import Document
from headrank.retrieval.bm25_index import Bm25Index, build_index
from headrank.retrieval.dense import DenseIndex, Encoder, EncoderSettings

TEXTS = ("red oak leaf", "elm leaf", "red river stone", "cloud", "oak oak oak")
DOCUMENTS = [Document(f"d{i}", "", text) for i, text in enumerate(TEXTS)]
# What an index needs of an encoder when it is opened.
ENCODER = cast(
    Encoder,
    SimpleNamespace(settings=EncoderSettings(), model=SimpleNamespace(config=SimpleNamespace(hidden_size=4))),
)
DENSE: dict[str, Any] = {"documents": 5, "width": 4, **vars(EncoderSettings())}


@cache
def sound(kind: str) -> Path:
    folder = SCRATCH / f"sound-{kind}"
    if kind == "bm25":
        build_index(DOCUMENTS, folder)
    else:
        folder.mkdir()
        np.save(folder / "docids.npy", np.array([d.docid.encode() for d in DOCUMENTS]))
        np.save(folder / "vectors.npy", np.ones((5, 4), dtype=np.float16))
        (folder / "dense.json").write_text(json.dumps(DENSE), encoding="utf-8")
    return folder


def opened(kind: str, folder: Path) -> Any:
    if kind == "dense":
        return DenseIndex(folder, ENCODER)
    index = Bm25Index(folder)
    # A sound index also searches, whatever its numbers.
    return index.search("red oak leaves in a river", 3), index.search("", 3)


def array(values: Any) -> bytes:
    path = SCRATCH / "array.npy"
    np.save(path, values, allow_pickle=True)
    return path.read_bytes()


BM25, VECTORS = "no BM25 index, or a damaged one", "no dense index, or a damaged one"
FILES = ("data.csc.index.npy", "indices.csc.index.npy", "indptr.csc.index.npy", "docids.npy")
ARRAYS = (
    Bad("empty", "", BM25),
    Bad("no array", "oak", BM25),
    Bad("cut in its header", cut(0.2), BM25),
    Bad("cut in its numbers", lambda whole: whole[:-3], BM25),
    Bad("a pickle", array(np.array([{"a": 1}], dtype=object)), BM25),
    Bad("texts", array(np.array(["a", "b"])), BM25),
    Bad("a table", array(np.ones((5, 2))), BM25),
    Bad("a number", array(np.float32(3)), BM25),
)


@pytest.mark.parametrize("name", FILES)
@cases(*ARRAYS)
def test_a_bad_array_of_bm25_is_refused(name: str, bad: Bad, tmp_path: Path) -> None:
    folder = shutil.copytree(sound("bm25"), tmp_path / "index")
    spoilt(folder / name, bad)
    refused_by_reader(lambda path: opened("bm25", path), folder, bad)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *[("bm25.json", bad._replace(message=f"{BM25}|different documents")) for bad in any_json()],
        ("bm25.json", Bad("no documents", with_keys(documents=...), f"{BM25} \\(bm25.json.documents: missing")),
        ("bm25.json", Bad("documents in words", with_keys(documents="5"), f"{BM25} \\(bm25.json.documents: expected int")),
        ("bm25.json", Bad("terms below 0", with_keys(terms=-1), f"{BM25} \\(bm25.json.terms: expected at least 0")),
        ("bm25.json", Bad("other documents", with_keys(documents=6), f"{BM25}|different documents")),
        ("params.index.json", Bad("an unknown parameter", with_keys(speed=9), BM25)),
        ("params.index.json", Bad("no JSON", "oak", BM25)),
        ("params.index.json", Bad("a list", "[]", BM25)),
        ("params.index.json", Bad("other documents", with_keys(num_docs=9), BM25)),
        ("vocab.index.json", Bad("no JSON", "oak", BM25)),
        ("vocab.index.json", Bad("a list", "[]", BM25)),
        ("vocab.index.json", Bad("a number beyond the postings", with_keys(oak=99), "a word of its vocabulary")),
        ("vocab.index.json", Bad("a number in words", with_keys(oak="1"), "a word of its vocabulary")),
        ("docids.npy", Bad("fewer ids", array(np.array([b"d0"])), "different documents")),
        ("indices.csc.index.npy", Bad("a document that is not there", lambda w: w[:-4] + b"\xff\0\0\0", "documents that are not there")),
        ("data.csc.index.npy", Bad("a score NaN", lambda w: w[:-4] + np.float32(np.nan).tobytes(), "scores are not finite")),
        ("indptr.csc.index.npy", Bad("ends that fall", lambda w: w[:-12] + w[-4:] + w[-8:-4] + w[-12:-8], BM25)),
    ],
    ids=lambda value: value.name if isinstance(value, Bad) else value,
)  # fmt: skip
def test_a_bad_part_of_bm25_is_refused(name: str, bad: Bad, tmp_path: Path) -> None:
    folder = shutil.copytree(sound("bm25"), tmp_path / "index")
    spoilt(folder / name, bad)
    refused_by_reader(lambda path: opened("bm25", path), folder, bad)


@pytest.mark.parametrize("kind", ["bm25", "dense"])
@cases(Bad("the folder", "", "no (BM25|dense) index", NOT_FOUND), Bad("ids", "", "no (BM25|dense) index", NOT_FOUND),
       Bad("a pipe for ids", "", "docids.npy: is a pipe", NOT_FOUND))  # fmt: skip
def test_an_index_that_is_not_there(kind: str, bad: Bad, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    if bad.name != "the folder":
        shutil.copytree(sound(kind), folder)
        (folder / "docids.npy").unlink()
    if "pipe" in bad.name:
        os.mkfifo(folder / "docids.npy")
    refused_by_reader(lambda path: opened(kind, path), folder, bad)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *[("dense.json", bad._replace(message=f"{VECTORS}|other settings")) for bad in any_json()],
        ("dense.json", Bad("another pooling", with_keys(pooling="mean"), "built with other settings")),
        ("dense.json", Bad("no pooling", with_keys(pooling=...), "built with other settings")),
        *[
            (name, bad._replace(message=VECTORS))
            for name in ("docids.npy", "vectors.npy")
            for bad in ARRAYS[:6]
        ],
        ("vectors.npy", Bad("whole numbers", array(np.ones((5, 4), dtype=int)), VECTORS)),
        (
            "vectors.npy",
            Bad("another width", array(np.ones((5, 8), dtype=np.float16)), "vectors of another encoder"),
        ),
        (
            "vectors.npy",
            Bad("fewer vectors", array(np.ones((4, 4), dtype=np.float16)), "vectors of another encoder"),
        ),
        ("docids.npy", Bad("fewer ids", array(np.array([b"d0"])), "vectors of another encoder")),
    ],
    ids=lambda value: value.name if isinstance(value, Bad) else value,
)
def test_a_bad_dense_index_is_refused(name: str, bad: Bad, tmp_path: Path) -> None:
    folder = shutil.copytree(sound("dense"), tmp_path / "index")
    spoilt(folder / name, bad)
    refused_by_reader(lambda path: opened("dense", path), folder, bad)


@pytest.mark.parametrize("kind", ["bm25", "dense"])
@PROPERTY
@given(st.data())
def test_any_damage_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    folder = SCRATCH / f"damaged-{kind}"
    shutil.copytree(sound(kind), folder, dirs_exist_ok=True)
    name = data.draw(st.sampled_from(sorted(path.name for path in sound(kind).iterdir())))
    (folder / name).write_bytes(data.draw(damaged((sound(kind) / name).read_bytes())))
    read_or_refused(lambda path: opened(kind, path), folder)


def test_a_sound_index_finds_what_was_indexed() -> None:
    found, nothing = opened("bm25", sound("bm25"))
    assert {docid for docid, _ in found} <= {d.docid for d in DOCUMENTS}
    assert len(found) == 3
    assert nothing == []
    assert opened("dense", sound("dense")) is not None
