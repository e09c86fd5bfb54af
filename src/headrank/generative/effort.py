"""How many prompts a generative method needs for a query, how long they are, what it writes, and how long that takes.

Used for job limits: no model is loaded, and where the number of prompts depends on the answers, it is the largest
possible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from headrank.cost.multiply_adds import Shape
from headrank.cost.predict import Rates, pass_seconds, weight_bytes
from headrank.generative.settings import GenerativeSettings
from headrank.generative.windows import windows

# Tokens of a prompt besides its passages, and of a label in a prompt or an answer: "[12] > ".
FRAME, LABEL = 150, 6
# Bytes of weights read per second when tokens are written one by one (for a processor measured on two cores,
# docs/performance.md; for a GPU assumed), and the seconds that transformers spends on a layer however fast the machine
# is (assumed).
BANDWIDTH: Mapping[str, float] = {"cpu": 5e9, "gpu": 1e12}
LAYER_SECONDS = 1e-3


@dataclass(frozen=True)
class Effort:
    """turns: rounds of questions about a query, each of which waits for the one before; prompts: questions per round;
    passages: per question; cut: tokens that a passage is cut to, if it is; written: tokens of an answer, 0 if only
    logits are read.
    """

    turns: int
    prompts: int
    passages: int
    cut: int | None = None
    written: int = 0


def query_seconds(
    asked: Effort,
    settings: GenerativeSettings,
    shape: Shape,
    rates: Rates,
    passage_tokens: float,
    width: int = 2,
    device: str = "cpu",
) -> float:
    """Seconds per query when many queries are asked together.

    passage_tokens: length of an uncut passage. width: bytes of a weight. device: one of ``BANDWIDTH``.
    """
    length = passage_tokens if asked.cut is None else min(passage_tokens, asked.cut)
    tokens = FRAME + asked.passages * (length + LABEL)
    # One layer more than there are, because the last layer of a whole model runs to its end.
    reading = asked.turns * asked.prompts * pass_seconds(shape, shape.layers + 1, tokens, rates)
    step = max(weight_bytes(shape, shape.layers, width) / BANDWIDTH[device], shape.layers * LAYER_SECONDS)
    # Answers to several queries are written at once, as many as fit the budget.
    together = max(1, settings.batch_tokens // (tokens + asked.written))
    return reading + asked.turns * asked.written * step / together


def windowed(count: int, settings: GenerativeSettings, writes: bool) -> Effort:
    """One question per window, one after the other, because each window includes what the one before ranked best."""
    passages = min(count, settings.window)
    turns = len(windows(count, settings.window, settings.stride))
    return Effort(turns, 1, passages, written=_permutation(passages, settings) if writes else 0)


def one_answer(count: int, settings: GenerativeSettings) -> Effort:
    """All passages in one prompt, and a permutation of them as the answer."""
    return Effort(1, 1, count, written=_permutation(count, settings))


def _permutation(passages: int, settings: GenerativeSettings) -> int:
    return settings.new_tokens or passages * LABEL


def sifts(count: int, settings: GenerativeSettings) -> Effort:
    """Setwise: a sift asks at most one question per level below its starting point.

    Building the heap takes a sift from every node that has children; then each passage taken, except the last, takes
    one from the top.
    """
    children = settings.children
    building = math.ceil(count / (children - 1))
    levels = math.ceil(math.log(max(1, count) * (children - 1) + 1, children)) - 1
    taking = max(0, min(settings.top_k, count) - 1) * levels
    return Effort(building + taking, 1, min(count, children + 1), settings.passage_tokens)


def one_short_answer(count: int, settings: GenerativeSettings) -> Effort:
    """All passages in one prompt, and one label."""
    return Effort(1, 1, count, settings.passage_tokens)


def each_passage(count: int, settings: GenerativeSettings) -> Effort:
    """One prompt per passage, all at once."""
    return Effort(1, count, 1)
