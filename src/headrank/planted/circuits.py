"""Attention heads written by hand for real text: match words, damp repetitions, look at positions.

The state of a token holds its meaning, its identity, the previous token's identity (written by layer 0) and flags of
one coordinate each. Three circuits work on it:

- *previous*: a head of layer 0 attends one token back and copies that token's identity.
- *repeat*: a head of layer 1 looks for a token that follows an earlier occurrence of the current one (an induction
  head). The label before each passage attracts it as well, and the nearer of the two wins, so that it finds only
  occurrences in the same passage; one coordinate records what it finds. Words of the instruction and the query look
  at the beginning of the instruction instead, so that the head itself says nothing about the passages.
- *match*: heads whose query and key share one projection of meaning and identity. A key marked as a repetition turns
  away from the query, so that a term's contribution saturates, as term frequency does in BM25. Each query token also
  attends to a sink, the prompt's first token; the rarer the query token, the weaker this pull. The sink takes most of
  the mass, so what reaches the passages grows with the token's inverse document frequency instead of adding up to one.

Rotary pair i is dimensions i and i + head_dim / 2; it turns by theta ** (-2 i / head_dim) per token.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrank.errors import UsageError
from headrank.planted.specs import Match

Floats = NDArray[np.float64]
FLAGS = ("constant", "rarity", "inert", "sink", "break", "repeat")
# Weights of the fastest pairs in the attention to the previous token: the first tells neighbours apart, the slower
# ones suppress its periodic repeats further away.
PREVIOUS_PAIRS = (0.5, 0.2, 0.15, 0.1, 0.05)


@dataclass(frozen=True)
class Layout:
    """Where each part lies in a state of ``hidden`` coordinates.

    Each part has the same length in every token with content, and heads rotate parts but never shrink them. A length
    that varied by a tenth from word to word would change a logit of 20 by 4, and attention weights by a factor of 50.
    """

    hidden: int
    semantic: int
    identity: int

    @property
    def meaning(self) -> slice:
        return slice(0, self.semantic)

    @property
    def word(self) -> slice:
        return slice(self.semantic, self.semantic + self.identity)

    @property
    def before(self) -> slice:
        return slice(self.word.stop, self.word.stop + self.identity)

    def flag(self, name: str) -> int:
        found: int = self.before.stop + FLAGS.index(name)
        return found

    @property
    def used(self) -> int:
        found: int = self.before.stop + len(FLAGS)
        return found


@dataclass(frozen=True)
class Rotary:
    """What the dimensions of a head are used for.

    slope: the fastest pair that turns less than a quarter of a circle over the longest prompt, so that its sine
    grows with distance all the way. content and the four single dimensions: on pairs that hardly turn at all.
    """

    frequency: Floats
    slope: int
    content: tuple[int, ...]
    sink: int
    inert: int
    filler: int
    mute: int

    @classmethod
    def of(cls, head_dim: int, theta: float, longest: int, where: str) -> Rotary:
        half = head_dim // 2
        frequency = theta ** (-np.arange(half) / half)
        turn = longest * frequency
        slope = int(np.argmax(turn <= 1.5))
        slow = [i for i in range(slope + 1, half) if turn[i] <= 0.6]
        if turn[-1] > 1.5 or slope < len(PREVIOUS_PAIRS) or len(slow) < 8:
            raise UsageError(f"{where}.rope_theta: {theta:g} leaves too few slow or fast pairs of {half}")
        *content, one, two = slow
        rows = (*content, *(i + half for i in content))
        return cls(frequency, slope, rows, one, one + half, two, two + half)


@dataclass(frozen=True)
class Rows:
    """One head's query or key projection pair, each (head_dim, hidden)."""

    query: Floats
    key: Floats


def rotation(rng: np.random.Generator, size: int) -> Floats:
    """A random orthogonal matrix."""
    return np.asarray(np.linalg.qr(rng.standard_normal((size, size)))[0])


class Painter:
    """Writes the rows of heads. The ``gain`` of its methods is sqrt(head_dim) * w_q * w_k of the layer's norms: the
    logit of a query and a key that point the same way."""

    def __init__(self, layout: Layout, rotary: Rotary, head_dim: int, rng: np.random.Generator) -> None:
        self.layout = layout
        self.rotary = rotary
        self.head_dim = head_dim
        self.rng = rng
        self.constant = layout.flag("constant")

    def empty(self) -> Floats:
        return np.zeros((self.head_dim, self.layout.hidden))

    def previous(self) -> Rows:
        """The token before: the logit is the gain times the sum of weight * cos(frequency * (distance - 1))."""
        query, key, half = self.empty(), self.empty(), self.head_dim // 2
        for pair, weight in enumerate(PREVIOUS_PAIRS):
            turn = self.rotary.frequency[pair]
            query[pair, self.constant] = weight**0.5 * np.cos(turn)
            query[pair + half, self.constant] = -(weight**0.5) * np.sin(turn)
            key[pair, self.constant] = weight**0.5
        return Rows(query, key)

    def repeat(self) -> Rows:
        """The token after the same word, or the label before the passage, whichever is nearer.

        Content, slope and label have equal weight. The beginning of the instruction is a stronger break: it leaves
        less than 1e-6 of the mass to the passages before it. ``repeat_gains`` gives the layer's gains.
        """
        query, key = self.empty(), self.empty()
        rotary, layout = self.rotary, self.layout
        content = list(rotary.content)
        query[content, layout.word] = key[content, layout.before] = rotation(self.rng, len(content))
        self._slope(query, key, 1.0)
        query[rotary.sink, self.constant] = 1.0
        key[rotary.sink, layout.flag("break")] = 1.0
        return Rows(query, key)

    def repeat_gains(self, match: float, slope: float) -> tuple[float, float]:
        """The layer's gain, and the slope pair's factor on top of it, that give a repetition (or label) the logit
        ``match``, less ``slope`` per token of distance. The query is sqrt(3) times as long as its content, the key
        sqrt(2) times."""
        return match * 6**0.5, slope / (match * self.rotary.frequency[self.rotary.slope])

    def match_key(self, match: Match) -> tuple[Floats, Floats]:
        """Key rows of a matching head, and the content projection that its queries share (content rows, hidden)."""
        shared = self._content(match.meaning)
        key = self.empty()
        key[list(self.rotary.content)] = self._blend(shared, match)
        key[self.rotary.sink, self.layout.flag("sink")] = 1.0
        key[self.rotary.inert, [self.layout.flag("inert"), self.layout.flag("break")]] = 1.0
        kept = 1 - match.repeat * 2**0.5 / match.sharpness
        key[self.rotary.mute, self.layout.flag("repeat")] = (kept**-2 - 1) ** 0.5
        key[self.rotary.slope, self.constant] = SLOPE_KEY if match.nearness else 0.0
        return key, shared

    def match_query(self, match: Match, shared: Floats, gain: float) -> Floats:
        """Query rows of a matching head: content of length one, and a pull to the sink of about the same length.

        With s the pull, the logits of a match and of the sink differ by sharpness * (1 - s) / sqrt(2). The pull is set
        so that this is the logarithm of share * idf ** rarity. A filler that no key responds to reduces the layer's
        gain for this head.
        """
        query = self.empty()
        query[list(self.rotary.content)] = self._blend(shared, match)
        slope = 2**0.5 / match.sharpness
        query[self.rotary.sink, self.constant] = 1 - slope * np.log(match.share)
        query[self.rotary.sink, self.layout.flag("rarity")] = -slope * match.rarity * RARITY_UNIT
        nearness = match.nearness * 2**0.5 / (match.sharpness * SLOPE_KEY)
        query[self.rotary.slope + self.head_dim // 2, self.constant] = nearness
        query[self.rotary.filler, self.constant] = 2**0.5 * max((gain / match.sharpness) ** 2 - 1, 0) ** 0.5
        return query

    def recent(self, sign: float, sharpness: float, gain: float) -> Rows:
        """Near tokens (sign 1) or far ones (sign -1): the logit changes by at most ``sharpness`` over the longest
        prompt."""
        query, key = self.empty(), self.empty()
        self._slope(query, key, sign)
        query[self.rotary.filler, self.constant] = max((gain / sharpness) ** 2 - 1, 0) ** 0.5
        return Rows(query, key)

    def sink(self, sharpness: float, gain: float) -> Rows:
        """The prompt's first token."""
        query, key = self.empty(), self.empty()
        query[self.rotary.sink, self.constant] = 1.0
        query[self.rotary.filler, self.constant] = max((gain / sharpness) ** 2 - 1, 0) ** 0.5
        key[self.rotary.sink, self.layout.flag("sink")] = 1.0
        key[self.rotary.inert, self.constant] = 0.2
        return Rows(query, key)

    def noise(self, sharpness: float, gain: float) -> Rows:
        """Content matched against content by unrelated random projections."""
        query, key = self.empty(), self.empty()
        query[list(self.rotary.content)] = self._content(0.5)
        query[self.rotary.filler, self.constant] = max((gain / sharpness) ** 2 - 1, 0) ** 0.5
        key[list(self.rotary.content)] = self._content(0.5)
        key[self.rotary.inert, [self.layout.flag("inert"), self.layout.flag("break")]] = 1.0
        return Rows(query, key)

    def _slope(self, query: Floats, key: Floats, sign: float) -> None:
        """Two constants a quarter of a circle apart give minus the sine of frequency * distance."""
        query[self.rotary.slope + self.head_dim // 2, self.constant] = sign
        key[self.rotary.slope, self.constant] = 1.0

    def _content(self, meaning: float) -> Floats:
        """Rows for identity alone (``meaning`` 0), or for its first coordinates with meaning in place of the others.

        The product of two tokens is (1 - meaning) * cos(identity) + meaning * cos(meaning), the cosines being those
        of the parts of their states.
        """
        size, layout = len(self.rotary.content), self.layout
        rows = np.zeros((size, layout.hidden))
        if meaning == 0:
            rows[:, layout.word] = np.eye(size)
        else:
            half = size - layout.semantic
            rows[:half, layout.word.start : layout.word.start + half] = (2 * (1 - meaning)) ** 0.5 * np.eye(
                half
            )
            rows[half:, layout.meaning] = meaning**0.5 * np.eye(layout.semantic)
        return rotation(self.rng, size) @ rows

    def _blend(self, shared: Floats, match: Match) -> Floats:
        """Query and key are each blended with a random part of their own: their cosine is the product of two shares."""
        found: Floats = match.quality**0.5 * shared + (1 - match.quality) ** 0.5 * self._content(
            match.meaning
        )
        return found


# Length of the slope's part in keys of matching heads: short, so that it takes little from the match.
SLOPE_KEY = 0.2
# The rarity coordinate is the logarithm of the idf (0 for the rarest word) divided by this: a small part of the state.
RARITY_UNIT = 4.0
