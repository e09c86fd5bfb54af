"""A dense first stage: one vector per document from a small encoder, searched exactly.

The encoder is any Hugging Face encoder with the pooling that its card names; granite-embedding-30m-english, CoRe's
first stage, takes the first token's state. Vectors have length 1, so that the score is the cosine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from headrank.data.arrays import mapped
from headrank.data.atomic import whole_folder, write_json
from headrank.data.collections import Document
from headrank.data.json_files import read_object
from headrank.engine.devices import choose_device
from headrank.errors import InputError, RunError, one_line, unreadable
from headrank.retrieval.bm25_index import best, distinct, text_of

_VECTORS, _DOCIDS, _SETTINGS = "vectors.npy", "docids.npy", "dense.json"
_CHUNK = 100_000
_SORTED = 10_000


@dataclass(frozen=True)
class EncoderSettings:
    """How texts become vectors: pooling of the last layer, prefixes, length in tokens, texts per batch."""

    pooling: str = "cls"
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 512
    batch: int = 64


class Encoder:
    """An encoder and its tokenizer on one device."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: EncoderSettings,
        device: str = "auto",
        dtype: str = "auto",
    ) -> None:
        from transformers import AutoModel, AutoTokenizer

        if device == "auto":
            device = choose_device()
        try:
            model: Any = AutoModel.from_pretrained(
                str(path),
                dtype=dtype if dtype == "auto" else getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=False,
            )
            self.tokenizer: Any = AutoTokenizer.from_pretrained(str(path), trust_remote_code=False)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise InputError(f"{path}: cannot load the encoder ({reason})") from error
        self.model = model.eval().to(device)
        self.device = device
        self.settings = settings

    @torch.no_grad()
    def encode(self, texts: list[str]) -> np.ndarray:
        """(texts, width) float32 of length 1 each, in the order given; batches hold texts of similar length.

        Raises InputError for vectors that are not finite.
        """
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        vectors = np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), self.settings.batch):
            places = order[start : start + self.settings.batch]
            inputs = self.tokenizer(
                [texts[i] for i in places],
                padding=True,
                # The first token must be the text's own, whichever side the tokenizer pads by default.
                padding_side="right",
                truncation=True,
                max_length=self.settings.max_tokens,
                return_tensors="pt",
            ).to(self.device)
            states = self.model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"].unsqueeze(-1).float()
            if self.settings.pooling == "cls":
                pooled = states[:, 0]
            else:
                pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            vectors[places] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        _check_finite(vectors, "the encoder gives vectors")
        return vectors


def build_dense_index(
    documents: Iterable[Document], encoder: Encoder, directory: str | os.PathLike[str]
) -> None:
    """Write every document's ``title text`` as a float16 vector, in order and batch by batch, whole or not at all."""
    docids: list[bytes] = []
    width = encoder.model.config.hidden_size
    prefix = encoder.settings.document_prefix
    with whole_folder(directory) as target:
        raw = target / "vectors.bin"
        with raw.open("wb") as stream:
            for part in _batches(tqdm(documents, desc="encoding", unit="doc", disable=None), _SORTED):
                docids += [document.docid.encode("utf-8") for document in part]
                texts = [f"{prefix}{f'{d.title} {d.text}'.strip()}" for d in part]
                stream.write(encoder.encode(texts).astype(np.float16).tobytes())
        if not docids:
            raise InputError("documents: the collection is empty, nothing to index")
        np.save(target / _DOCIDS, distinct(docids))
        # Not through a memory map: on a full disk a write to one ends the process without a word.
        np.save(target / _VECTORS, np.memmap(raw, dtype=np.float16, mode="r", shape=(len(docids), width)))
        raw.unlink()
        write_json(target / _SETTINGS, {"documents": len(docids), "width": width, **asdict(encoder.settings)})


class DenseIndex:
    """The vectors of ``build_dense_index`` with the encoder of the queries; search is exact, chunk by chunk."""

    def __init__(self, directory: str | os.PathLike[str], encoder: Encoder) -> None:
        place = self.place = Path(directory)
        try:
            told = read_object(place / _SETTINGS, "settings of an index")
            self.docids = mapped(place / _DOCIDS, "S", 1)
            self.vectors = mapped(place / _VECTORS, "f", 2)
        # A damaged file may make numpy raise anything.
        except Exception as error:
            raise unreadable(error)(
                f"{place}: no dense index, or a damaged one ({one_line(error)}); build it again"
            ) from error
        if self.vectors.shape != (len(self.docids), encoder.model.config.hidden_size):
            raise InputError(f"{place}: vectors of another encoder or other documents; build it again")
        given = asdict(encoder.settings)
        if any(told.get(key) != value for key, value in given.items() if key != "batch"):
            raise InputError(f"{place}: built with other settings of the encoder; build it again")
        self.encoder = encoder

    def scores(self, query: str) -> np.ndarray:
        """(documents,) float32: cosines plus 1, so that all are positive and every document is a candidate."""
        vector = self.encoder.encode([f"{self.encoder.settings.query_prefix}{query}"])[0]
        scores = np.empty(len(self.docids), dtype=np.float32)
        for start in range(0, len(scores), _CHUNK):
            part = np.asarray(self.vectors[start : start + _CHUNK], dtype=np.float32)
            scores[start : start + _CHUNK] = part @ vector
        _check_finite(scores, "the dense index gives scores")
        found: np.ndarray = np.maximum(scores + 1.0, np.finfo(np.float32).tiny)
        return found

    def search(self, query: str, depth: int) -> list[tuple[str, float]]:
        """The ``depth`` nearest documents; ties in the order of the collection."""
        scores = self.scores(query)
        return [(text_of(self.docids[i], self.place), float(scores[i])) for i in best(scores, depth)]


def _check_finite(values: np.ndarray, what: str) -> None:
    if not np.isfinite(values).all():
        raise RunError(
            f"{what} that are not finite (NaN or infinite); use float32 (dtype), or build it again"
        )


def _batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while part := list(islice(iterator, size)):
        yield part
