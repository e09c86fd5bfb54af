"""Token vectors from running text: what a token means (by the company it keeps), which token it is, how rare it is.

Meaning is positive pointwise mutual information over windows, reduced by a truncated SVD; identity is a random
direction per token. Works on token ids, so that any tokenizer and any text will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from headrank.errors import InputError
from headrank.planted.specs import EmbeddingSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TokenVectors:
    """Per token id of the vocabulary (V rows): ``semantic`` and ``identity`` rows of length one, or zero.

    idf: document frequency as a rarity in [0, 1]; tokens never seen have 1. inert: tokens without content, whose
    rows are zero: they match nothing.
    """

    semantic: Floats
    identity: Floats
    idf: Floats
    inert: NDArray[np.bool_]


def token_vectors(
    sequences: Iterable[Sequence[int]],
    vocabulary: int,
    spec: EmbeddingSpec,
    inert: Iterable[int] = (),
    fold: Sequence[int] | None = None,
) -> TokenVectors:
    """Vectors for a vocabulary of ``vocabulary`` tokens from token-id sequences, one per document.

    inert: tokens (frame, punctuation, stop words, bytes) that are left out of the windows and get no content.
    fold: for each token id the id of the token whose statistics and vectors it shares, for spellings of one word
    (with and without a leading space, capitals). Deterministic. Raises InputError when the text is too small.
    """
    silent = np.zeros(vocabulary, dtype=bool)
    silent[list(inert)] = True
    root = np.arange(vocabulary) if fold is None else np.asarray(fold, dtype=np.int64)
    silent |= silent[root]
    counts, frequency, documents = _cooccurrence(sequences, vocabulary, silent, root, spec.window)
    # An inert token still has a document frequency, but no neighbours and no identity.
    semantic = _meaning(counts, spec)
    rng = np.random.default_rng(spec.seed)
    identity = _unit(rng.standard_normal((vocabulary, spec.identity)))
    idf = np.log((documents + 1) / (frequency + 1)) / np.log(documents + 1)
    active = ~silent[:, None]
    return TokenVectors(semantic[root] * active, identity[root] * active, idf[root], silent)


def _cooccurrence(
    sequences: Iterable[Sequence[int]],
    vocabulary: int,
    silent: NDArray[np.bool_],
    root: NDArray[np.int64],
    window: int,
) -> tuple[sparse.csr_matrix, Floats, int]:
    """Symmetric window counts (V, V), document frequencies (V,) and the number of documents."""
    tokens, owners = [], []
    frequency = np.zeros(vocabulary)
    documents = 0
    for documents, sequence in enumerate(sequences, start=1):
        ids = root[np.asarray(sequence, dtype=np.int64)]
        frequency[np.unique(ids)] += 1
        kept = ids[~silent[ids]]
        tokens.append(kept)
        owners.append(np.full(len(kept), documents))
    if not documents:
        raise InputError("token vectors: the text holds no document")
    line, owner = np.concatenate(tokens), np.concatenate(owners)
    total = sparse.csr_matrix((vocabulary, vocabulary))
    for offset in range(1, window + 1):
        same = owner[offset:] == owner[:-offset]
        left, right = line[:-offset][same], line[offset:][same]
        total = total + sparse.csr_matrix((np.ones(len(left)), (left, right)), shape=(vocabulary, vocabulary))
    return sparse.csr_matrix(total + total.T), frequency, documents


def _meaning(counts: sparse.csr_matrix, spec: EmbeddingSpec) -> Floats:
    """(V, semantic) rows of length one, or zero for tokens seen too rarely."""
    vocabulary = counts.shape[0]
    sums = np.asarray(counts.sum(axis=1)).ravel()
    seen = np.flatnonzero(sums >= spec.least)
    out = np.zeros((vocabulary, spec.semantic))
    if len(seen) <= spec.semantic:
        raise InputError(
            f"token vectors: {len(seen)} tokens of text are too few for {spec.semantic} dimensions"
        )
    pairs = counts[seen][:, seen].tocoo()
    context = sums[seen] ** spec.smoothing
    expected = sums[seen][pairs.row] * context[pairs.col] / context.sum()
    information = np.log(np.maximum(pairs.data / expected, 1e-12))
    positive = sparse.csr_matrix((np.maximum(information, 0), (pairs.row, pairs.col)), shape=pairs.shape)
    # A fixed start makes the iteration repeatable.
    start = np.random.default_rng(spec.seed).standard_normal(len(seen))
    left, values, _ = svds(positive, k=spec.semantic, v0=start)
    order = np.argsort(-values)
    left, values = left[:, order], values[order]
    # The sign of a singular vector is arbitrary: let its largest entry be positive.
    left = left * np.sign(left[np.abs(left).argmax(axis=0), np.arange(spec.semantic)])
    # Rounding removes the last bits, in which linear algebra libraries differ.
    out[seen] = np.round(_unit(left * values**spec.power), 5)
    return out


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Floats = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return found
