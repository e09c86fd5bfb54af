"""Why one passage has its score: the attention to each of its tokens, and what that adds to the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headrank.heads.head_set import Head

Part = Literal["label", "text", "next"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Span:
    """A token whose attention counts for a passage.

    part: "text", or what a method counts besides the passage's text: its "label" in the prompt, or the token "next" to
    it. start, stop: characters in the explanation's ``text``; equal outside the text. token: the characters. weights:
    what the token adds under each head, calibrated. attention: the mean attention that it gets from the query's tokens
    under each head, before calibration. left_out: whether a mask leaves it out under all heads.
    """

    part: Part
    start: int
    stop: int
    token: str
    weights: tuple[float, ...]
    attention: tuple[float, ...]
    left_out: bool

    @property
    def weight(self) -> float:
        """The sum over heads."""
        return sum(self.weights)


@dataclass(frozen=True)
class Explanation:
    """What a passage's score is made of.

    text: the passage as the model read it, with its title before it. unread: what was cut off. position: in the prompt,
    from 0. heads: (layer, query head), both from 0, those that this query's scores are made of. tokens: (part, start,
    stop, characters) of each token. weights, attention, null: (heads, tokens); a token's addition to the score, the
    attention before calibration, and the attention under the null query "N/A" if the method reads it. left_out:
    (heads, tokens) bool, by the mask of K4 in docs/methods.md. rest: (heads,), what of the score belongs to no token.

    A head's value is the sum of its weights and its rest. The score is the sum of the values or, where ``logarithm``
    says so, of their logarithms: then tokens add up to the values and not to the score.
    """

    text: str
    unread: str
    position: int
    heads: tuple[Head, ...]
    tokens: tuple[tuple[Part, int, int, str], ...]
    weights: Floats
    attention: Floats
    null: Floats | None
    left_out: NDArray[np.bool_]
    rest: Floats
    logarithm: bool
    score: float

    @cached_property
    def values(self) -> Floats:
        """(heads,): what each head gives."""
        found: Floats = self.weights.sum(axis=1) + self.rest
        return found

    @property
    def additions(self) -> Floats:
        """(heads,): what each head adds to the score, a value or its logarithm."""
        return np.log(self.values) if self.logarithm else self.values

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The tokens one by one."""
        out = np.logical_and.reduce(self.left_out, axis=0)
        columns = zip(
            self.tokens, self.weights.T.tolist(), self.attention.T.tolist(), out.tolist(), strict=True
        )
        return tuple(
            Span(*token, tuple(weights), tuple(attention), left_out)
            for token, weights, attention, left_out in columns
        )

    def strongest(self, count: int = 5) -> Sequence[Span]:
        """The tokens that add the most."""
        return sorted(self.spans, key=lambda span: -span.weight)[:count]
