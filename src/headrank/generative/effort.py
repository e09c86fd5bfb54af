"""How many prompts a generative method asks about a query, how long they are, what it writes, and what time that takes.

For limits of jobs: nothing is loaded, and where the model's answers decide it is the most that can come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from headrank.cost.multiply_adds import Shape
from headrank.cost.predict import Rates, pass_seconds, weight_bytes
from headrank.generative.settings import GenerativeSettings
from headrank.generative.windows import windows

# Tokens of a prompt beside its passages, and of a label in a prompt or an answer: "[12] > ".
FRAME, LABEL = 150, 6
# Bytes of weights read a second where tokens are written one by one (of a processor measured on two cores,
# docs/performance.md; of a GPU assumed), and what transformers spends on a layer however fast the machine is (assumed).
BANDWIDTH: Mapping[str, float] = {"cpu": 5e9, "gpu": 1e12}
LAYER_SECONDS = 1e-3


@dataclass(frozen=True)
class Effort:
    """turns: rounds of questions about a query, each of which waits for the one before; prompts: questions of a round;
    passages: in each; cut: tokens that a passage is cut to, if it is; written: tokens of an answer, 0 where only logits
    are read.
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
    """Seconds of one query among many that are asked together.

    passage_tokens: of a passage that is not cut. width: bytes of a weight. device: one of ``BANDWIDTH``.
    """
    length = passage_tokens if asked.cut is None else min(passage_tokens, asked.cut)
    tokens = FRAME + asked.passages * (length + LABEL)
    # One layer more than there are: the last one of a whole model runs to its end.
    reading = asked.turns * asked.prompts * pass_seconds(shape, shape.layers + 1, tokens, rates)
    step = max(weight_bytes(shape, shape.layers, width) / BANDWIDTH[device], shape.layers * LAYER_SECONDS)
    # Answers to several queries are written at once, as many as fit the budget.
    together = max(1, settings.batch_tokens // (tokens + asked.written))
    return reading + asked.turns * asked.written * step / together


def windowed(count: int, settings: GenerativeSettings, writes: bool) -> Effort:
    """A question a window, one after the other, as the next window begins with what the last one found best."""
    passages = min(count, settings.window)
    turns = len(windows(count, settings.window, settings.stride))
    return Effort(turns, 1, passages, written=_permutation(passages, settings) if writes else 0)


def one_answer(count: int, settings: GenerativeSettings) -> Effort:
    """All passages in one prompt, and a permutation of them written."""
    return Effort(1, 1, count, written=_permutation(count, settings))


def _permutation(passages: int, settings: GenerativeSettings) -> int:
    return settings.new_tokens or passages * LABEL


def sifts(count: int, settings: GenerativeSettings) -> Effort:
    """Setwise's: a sift asks at most once a level below where it begins.

    All of a heap's sifts are made when it is built, and one from the top for each passage taken but the last.
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
    """A prompt a passage, all at once."""
    return Effort(1, count, 1)
