"""Which tokens of a real tokenizer spell the same word: the vocabulary of a lexical match.

A subword vocabulary holds one word many times: with a leading space, with a capital, after a hyphen, and inflected.
Tokens of one family share statistics and vectors, as words with the same stem share a term of an index. Stop words,
digits and punctuation have no family: they are inert.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Families:
    """root: (V,) for each token the first token of its family (itself if it has none).

    inert: (V,) tokens without content. inside: (V,) tokens that mostly continue a word begun by another token.
    """

    root: NDArray[np.int64]
    inert: NDArray[np.bool_]
    inside: NDArray[np.bool_]


def word_families(
    tokenizer: PreTrainedTokenizerBase, sequences: Iterable[Sequence[int]], vocabulary: int
) -> Families:
    """Families of all tokens below ``vocabulary`` (at least len(tokenizer)).

    sequences: token ids of running text, one sequence per passage, which show whether a token without a leading
    space begins words (at the start of a line, after a bracket) or continues them.
    """
    import Stemmer

    from headrank.process.bm25s_without_jax import bm25s

    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    control = set(tokenizer.get_added_vocab().values())
    words = ["" if i in control else text.strip().lower() for i, text in enumerate(texts)]
    inside = _continues(texts, sequences)
    stem = Stemmer.Stemmer("english").stemWord
    stopwords = {*bm25s.stopwords.STOPWORDS_EN, "s", "t"}
    root = np.arange(vocabulary)
    inert = np.ones(vocabulary, dtype=bool)
    continued = np.zeros(vocabulary, dtype=bool)
    first: dict[str, int] = {}
    for i, word in enumerate(words):
        # A piece like "-speed" or "(the" counts as the word after the mark.
        bare = word.lstrip("".join(c for c in word if not c.isalnum()))
        if not any(c.isalpha() for c in bare) or (bare in stopwords and not inside[i]):
            continue
        name = "##" + bare if inside[i] else stem(bare)
        root[i] = first.setdefault(name, i)
        inert[i] = False
        continued[i] = inside[i]
    return Families(root, inert, continued)


def _continues(texts: Sequence[str], sequences: Iterable[Sequence[int]]) -> NDArray[np.bool_]:
    """Tokens that begin with a letter and more often follow a letter than anything else."""
    opens = np.array([text[:1].isalnum() for text in texts])
    closes = np.array([text[-1:].isalnum() for text in texts])
    after = np.zeros(len(texts))
    for sequence in sequences:
        ids = np.asarray(sequence, dtype=np.int64)
        glued = opens[ids[1:]] & closes[ids[:-1]]
        np.add.at(after, ids[1:], np.where(glued, 1, -1))
    # Pieces that the text never shows count as continuations: whole words nearly always carry a space.
    return opens & (after >= 0)
