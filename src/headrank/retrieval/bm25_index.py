"""A BM25 index on disk, built from a stream of documents and searched through memory maps.

Token numbers go to disk while documents stream by, so that memory holds the vocabulary and the postings but neither
texts nor Python lists of them. A search reads only the postings of its query's terms.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from headrank.data.arrays import mapped
from headrank.data.atomic import whole_folder, write_json
from headrank.data.collections import Document
from headrank.data.files import check_regular
from headrank.data.json_files import read_object
from headrank.errors import InputError, UsageError, one_line, unreadable
from headrank.specs import Natural, read_spec

_BATCH = 10_000
_DOCIDS = "docids.npy"
_SETTINGS = "bm25.json"


def build_index(
    documents: Iterable[Document], directory: str | os.PathLike[str], k1: float = 0.9, b: float = 0.4
) -> None:
    """Index ``title text`` of the documents with Lucene's BM25, whole or not at all; they keep their order.

    Uses the English stop words of bm25s and the Snowball English stemmer. Raises InputError on an empty collection and
    on settings out of range.
    """
    from headrank.process.bm25s_without_jax import bm25s

    if not (k1 >= 0 and 0 <= b <= 1):
        raise UsageError(f"bm25: k1 = {k1} and b = {b} are out of range (k1 >= 0, 0 <= b <= 1)")
    docids: list[bytes] = []
    with whole_folder(directory) as target, tempfile.TemporaryDirectory(dir=target.parent) as place:
        tokens = _tokenise(documents, docids, Path(place) / "tokens.bin")
        if not docids:
            raise InputError("documents: the collection is empty, nothing to index")
        np.save(target / _DOCIDS, distinct(docids))
        docids.clear()
        index = bm25s.BM25(method="lucene", k1=k1, b=b, csc_backend="scipy")
        if len(tokens.flat):
            index.index(tokens, create_empty_token=False, show_progress=False)
            index.save(target, show_progress=False)
        write_json(target / _SETTINGS, asdict(_Described(k1, b, len(tokens), len(tokens.vocab))))


@dataclass(frozen=True)
class _Described:
    """What stands beside an index: its settings, and how many documents and terms it has."""

    k1: float
    b: float
    documents: Natural
    terms: Natural


class Bm25Index:
    """An index of ``build_index``, memory-mapped."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        place = self.place = Path(directory)
        try:
            told = read_spec(_Described, read_object(place / _SETTINGS, "settings of an index"), _SETTINGS)
            self.docids = mapped(place / _DOCIDS, "S", 1)
            self._index = _postings(place, told.documents) if told.terms else None
        # A damaged file may make numpy and bm25s raise anything.
        except Exception as error:
            raise unreadable(error)(
                f"{place}: no BM25 index, or a damaged one ({one_line(error)}); build it again"
            ) from error
        if len(self.docids) != told.documents:
            raise InputError(
                f"{place}: the BM25 index and its ids are of different documents; build it again"
            )
        self._splitter = _tokenizer()

    def scores(self, query: str) -> np.ndarray:
        """(documents,) float32: BM25 of every document, 0 where it shares no term with the query."""
        words = [str(word) for word in self._words(query)]
        known = self._index.vocab_dict if self._index is not None else {}
        terms = [known[word] for word in words if word in known]
        if self._index is None or not terms:
            return np.zeros(len(self.docids), dtype=np.float32)
        return np.asarray(self._index.get_scores_from_ids(terms))

    def search(self, query: str, depth: int) -> list[tuple[str, float]]:
        """The ``depth`` best documents that share a term with the query; ties in the order of the collection."""
        scores = self.scores(query)
        return [(text_of(self.docids[i], self.place), float(scores[i])) for i in best(scores, depth)]

    def _words(self, query: str) -> list[str]:
        tokenizer = self._splitter
        stop = set(tokenizer.stopwords)
        return [tokenizer.stemmer(w) for w in tokenizer.splitter(query.lower()) if w not in stop]


def _postings(place: Path, documents: int) -> Any:
    """bm25s's own index of a folder, mapped into memory; ValueError where its parts do not fit together.

    bm25s trusts its files: numbers of documents or terms that are not there would end in wrong scores or a crash.
    """
    from headrank.process.bm25s_without_jax import bm25s

    for path in filter(lambda path: not path.is_dir(), place.iterdir()):
        check_regular(path)
    # What the file of parameters says besides decides how scores are computed, and which code computes them.
    own = {
        "method": "lucene",
        "dtype": "float32",
        "int_dtype": "int32",
        "backend": "numpy",
        "auto_compile": False,
    }
    index = bm25s.BM25.load(place, mmap=True, show_progress=False, override_params=own)
    data, numbers, ends = (index.scores[name] for name in ("data", "indices", "indptr"))
    if any(array.ndim != 1 for array in (data, numbers, ends)) or data.dtype.kind != "f":
        raise ValueError("its postings are no lists of numbers")
    if any(array.dtype.kind not in "iu" for array in (numbers, ends)) or not len(ends):
        raise ValueError("its postings are no lists of numbers")
    vocabulary = index.vocab_dict.values()
    if not all(type(term) is int and 0 <= term < len(ends) - 1 for term in vocabulary):
        raise ValueError("a word of its vocabulary has no postings")
    whole = ends[0] == 0 and ends[-1] == len(numbers) == len(data) and bool((ends[1:] >= ends[:-1]).all())
    if not whole or index.scores["num_docs"] != documents:
        raise ValueError("its postings are not those of its vocabulary and documents")
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < documents):
        raise ValueError("its postings name documents that are not there")
    if len(data) and not (np.isfinite(data.min()) and np.isfinite(data.max())):
        raise ValueError("its scores are not finite")
    return index


def best(scores: np.ndarray, depth: int) -> np.ndarray:
    """Indices of the ``depth`` largest positive scores, best first, ties in the order of the collection.

    A plain partition would pick any of the documents that tie with the last one kept.
    """
    if depth < len(scores):
        threshold = np.partition(scores, -depth)[-depth]
        candidates = np.flatnonzero((scores >= threshold) & (scores > 0))
    else:
        candidates = np.flatnonzero(scores > 0)
    return candidates[np.argsort(-scores[candidates], kind="stable")][:depth]


def text_of(docid: bytes, place: Path) -> str:
    """An id of an index; InputError names the index if the id is damaged."""
    try:
        return docid.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{place}: a damaged index (an id is no text); build it again") from None


def distinct(docids: list[bytes]) -> np.ndarray:
    """The ids as one array of bytes; InputError names one that appears twice."""
    ids = np.array(docids)
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(ids[order[1:]] == ids[order[:-1]])
    if len(twice):
        raise InputError(f"documents: id {ids[order[twice[0]]].decode('utf-8')} appears twice")
    return ids


@dataclass(frozen=True)
class _Tokens:
    """What bm25s indexes: a document's token numbers are a list only while they are being read."""

    flat: np.ndarray
    ends: np.ndarray
    vocab: Mapping[str, int]

    @property
    def ids(self) -> _Tokens:
        return self

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[list[int]]:
        start = 0
        # Only the current documents of the memory map are in memory.
        for first in range(0, len(self.ends), _BATCH):
            ends = self.ends[first : first + _BATCH].tolist()
            block = self.flat[start : ends[-1]].tolist()
            begin = start
            for end in ends:
                yield block[start - begin : end - begin]
                start = end


def _tokenise(documents: Iterable[Document], docids: list[bytes], path: Path) -> _Tokens:
    tokenizer = _tokenizer()
    ends = array("q")
    total = 0

    def texts() -> Iterator[str]:
        for document in tqdm(documents, desc="reading documents", unit="doc", disable=None):
            docids.append(document.docid.encode("utf-8"))
            yield f"{document.title} {document.text}".strip()

    with path.open("wb") as stream:
        for numbers in tokenizer.streaming_tokenize(texts(), allow_empty=False):
            stream.write(np.asarray(numbers, dtype=np.int32).tobytes())
            total += len(numbers)
            ends.append(total)
    flat = np.memmap(path, dtype=np.int32, mode="r") if total else np.empty(0, dtype=np.int32)
    return _Tokens(flat, np.frombuffer(ends, dtype=np.int64), tokenizer.stem_to_sid)


def _tokenizer() -> Any:
    import Stemmer

    from headrank.process.bm25s_without_jax import bm25s

    return bm25s.tokenization.Tokenizer(stopwords="en", stemmer=Stemmer.Stemmer("english"))
