"""A dense first stage on a tiny random encoder: vectors, exact search, and what does not fit together."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from encoders import write_encoder
from support import byte_tokenizer

from headrank.data.collections import Document
from headrank.errors import InputError
from headrank.retrieval.dense import DenseIndex, Encoder, EncoderSettings, build_dense_index
from headrank.retrieval.first_stage import retrieve

DOCUMENTS = [Document(f"d{i}", "", f"text number {i} " + "word " * (i % 7)) for i in range(40)]


@pytest.fixture(scope="module")
def encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder"))


def encoder(path: Path, **settings: object) -> Encoder:
    return Encoder(path, EncoderSettings(max_tokens=64, **settings), "cpu", "float32")  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_vectors_do_not_depend_on_the_batch(encoder_path: Path, pooling: str) -> None:
    texts = [f"{d.title} {d.text}" for d in DOCUMENTS]
    together = encoder(encoder_path, pooling=pooling, batch=16).encode(texts)
    alone = np.vstack([encoder(encoder_path, pooling=pooling).encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_the_first_token_is_pooled_as_the_model_gives_it(encoder_path: Path) -> None:
    model = transformers.RobertaModel.from_pretrained(encoder_path).eval()
    ids = byte_tokenizer()("some text", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        state = model(ids).last_hidden_state[0, 0]
    expected = (state / state.norm()).numpy()
    np.testing.assert_allclose(encoder(encoder_path).encode(["some text"])[0], expected, atol=1e-6)


def test_a_tokenizer_that_pads_on_the_left_changes_nothing(encoder_path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    shutil.copytree(encoder_path, left)
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder_path, padding_side="left")
    tokenizer(["a", "longer"], padding=True)
    tokenizer.save_pretrained(left)
    texts = ["short", "a text that is a good deal longer"]
    np.testing.assert_allclose(encoder(left).encode(texts), encoder(encoder_path).encode(texts), atol=1e-6)


def test_search_is_exact(encoder_path: Path, tmp_path: Path) -> None:
    model = encoder(encoder_path)
    build_dense_index(DOCUMENTS, model, tmp_path)
    index = DenseIndex(tmp_path, model)
    vectors = model.encode([d.text.strip() for d in DOCUMENTS]).astype(np.float16).astype(np.float32)
    query = model.encode(["number 7"])[0]
    expected = [f"d{i}" for i in np.argsort(-(vectors @ query), kind="stable")[:5]]
    assert [docid for docid, _ in index.search("number 7", 5)] == expected
    run = retrieve(index, {"d3": DOCUMENTS[3].text, "q": "text"}, 3, drop_same_id=True)
    assert all(len(ranked) == 3 for ranked in run.values())
    assert "d3" not in dict(run["d3"])


def test_prefixes_change_the_vectors(encoder_path: Path, tmp_path: Path) -> None:
    model = encoder(encoder_path, document_prefix="passage: ", query_prefix="query: ")
    build_dense_index(DOCUMENTS[:5], model, tmp_path)
    index = DenseIndex(tmp_path, model)
    vectors = model.encode([f"passage: {d.text}".strip() for d in DOCUMENTS[:5]])
    expected = 1 + vectors @ model.encode(["query: what"])[0]
    np.testing.assert_allclose(index.scores("what"), expected, atol=2e-3)


def test_what_does_not_fit_together_is_refused(encoder_path: Path, tmp_path: Path) -> None:
    model = encoder(encoder_path)
    with pytest.raises(InputError, match="no dense index"):
        DenseIndex(tmp_path / "absent", model)
    with pytest.raises(InputError, match="the collection is empty"):
        build_dense_index([], model, tmp_path / "empty")
    with pytest.raises(InputError, match="cannot load the encoder"):
        encoder(tmp_path)
    build_dense_index(DOCUMENTS, model, tmp_path / "index")
    with pytest.raises(InputError, match="other settings of the encoder"):
        DenseIndex(tmp_path / "index", encoder(encoder_path, pooling="mean"))
    told = tmp_path / "index" / "dense.json"
    for text, reason in (("{}", "other settings of the encoder"), ("[" * 100_000, "damaged")):
        kept = told.read_text(encoding="utf-8")
        told.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=reason):
            DenseIndex(tmp_path / "index", model)
        told.write_text(kept, encoding="utf-8")
    (tmp_path / "index" / "vectors.npy").write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        DenseIndex(tmp_path / "index", model)
