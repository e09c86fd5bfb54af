"""A synthetic language: topics hold concepts, a concept has synonyms, and synonyms occur next to the same words.

Each concept has a few modifiers, drawn from one pool that all topics share; any of its synonyms may occur with any of
them. So the words around a word reveal its concept, and token vectors learnt from text alone bring synonyms together,
in topics with many documents and in topics with few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headrank.errors import UsageError
from headrank.planted.specs import LanguageSpec

ONSETS = (
    "b",
    "d",
    "f",
    "g",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "z",
    "br",
    "dr",
    "gl",
    "pl",
    "st",
    "tr",
)
NUCLEI = ("a", "e", "i", "o", "u")
CODAS = ("", "", "", "", "l", "n", "r")
# Endings that an English stemmer leaves alone, so that the first stage never takes two words for one.
ENDINGS = ("ak", "am", "arn", "ob", "om", "orn", "uk", "um", "urn", "ip", "im", "od", "up", "osk")


@dataclass(frozen=True)
class Language:
    """The words themselves.

    concepts[topic][concept] is the tuple of a concept's synonyms, most frequent first; company[topic][concept] its
    modifiers. ``concept_weights`` and ``general_weights`` are Zipf frequencies by rank, each summing to one.
    """

    spec: LanguageSpec
    concepts: tuple[tuple[tuple[str, ...], ...], ...]
    company: tuple[tuple[tuple[str, ...], ...], ...]
    general: tuple[str, ...]
    concept_weights: np.ndarray
    synonym_weights: np.ndarray
    general_weights: np.ndarray

    def topics(self, held_out: bool) -> range:
        """Indices of the topics that training queries use or, with ``held_out``, of those that they do not."""
        seen = self.spec.topics - self.spec.held_out
        return range(seen, self.spec.topics) if held_out else range(seen)


def make_language(spec: LanguageSpec) -> Language:
    """The language of a spec: equal specs give equal languages. Raises InputError if no topic would be left."""
    if not 0 < spec.held_out < spec.topics:
        raise UsageError(f"language.held_out: must lie between 1 and topics - 1, got {spec.held_out}")
    rng = np.random.default_rng(spec.seed)
    per_topic = spec.concepts * spec.synonyms
    words = _words(rng, spec.topics * per_topic + spec.modifiers + spec.general)
    modifiers, general = words[: spec.modifiers], words[spec.modifiers : spec.modifiers + spec.general]
    topical = iter(words[spec.modifiers + spec.general :])
    concepts, company = [], []
    for _ in range(spec.topics):
        concepts.append(
            tuple(tuple(next(topical) for _ in range(spec.synonyms)) for _ in range(spec.concepts))
        )
        chosen = [
            rng.choice(spec.modifiers, spec.modifiers_per_concept, replace=False)
            for _ in range(spec.concepts)
        ]
        company.append(tuple(tuple(modifiers[i] for i in indices) for indices in chosen))
    return Language(
        spec,
        tuple(concepts),
        tuple(company),
        tuple(general),
        _zipf(spec.concepts, spec.zipf),
        _zipf(spec.synonyms, spec.zipf),
        _zipf(spec.general, spec.zipf),
    )


def _zipf(count: int, exponent: float) -> np.ndarray:
    weights = 1.0 / np.arange(1, count + 1) ** exponent
    found: np.ndarray = weights / weights.sum()
    return found


def _words(rng: np.random.Generator, count: int) -> list[str]:
    """Distinct words of two or three syllables, none of which is a prefix of another."""
    words: dict[str, None] = {}
    beginnings: set[str] = set()
    while len(words) < count:
        middle = "".join(
            _pick(rng, ONSETS) + _pick(rng, NUCLEI) + _pick(rng, CODAS) for _ in range(rng.integers(1, 3))
        )
        word = middle + _pick(rng, ONSETS) + _pick(rng, ENDINGS)
        own = [word[:i] for i in range(1, len(word) + 1)]
        if word not in beginnings and words.keys().isdisjoint(own):
            words[word] = None
            beginnings.update(own)
    return list(words)


def _pick(rng: np.random.Generator, parts: tuple[str, ...]) -> str:
    return parts[rng.integers(len(parts))]
