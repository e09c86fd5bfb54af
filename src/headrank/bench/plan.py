"""What to measure, and the whole measurement for one backbone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from headrank.bench.contenders import Bench
from headrank.bench.growth import Point, measure_growth, points
from headrank.bench.measure import SLOW, contenders, measure
from headrank.bench.shapes import load_tokenizer, random_backbone
from headrank.bench.workload import make_workload, word_tokenizer
from headrank.cost.measured import NAMES, TRAINING
from headrank.cost.model_shapes import SHAPES
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.devices import choose_device
from headrank.errors import UsageError
from headrank.generative.chat import Chat
from headrank.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """One backbone, lists of several lengths.

    backbone: one of ``headrank.cost.model_shapes.SHAPES``, with random weights, or a folder, GGUF file or hub id. n:
    passages of a list; words: of a passage. depths: fractions of the layers at which truncated passes are measured.
    methods: from ``headrank.cost.measured.NAMES``, or only from ``TRAINING`` there. rounds: how often each is timed.
    tokenizer: a folder, for a shape. device: "auto", "cpu", "cuda". slow: seconds; what takes longer runs once.
    """

    backbone: str
    n: tuple[int, ...]
    words: int
    depths: tuple[float, ...]
    methods: tuple[str, ...]
    rounds: int
    dtype: str = "bfloat16"
    device: str = "auto"
    tokenizer: str | None = None
    slow: float = SLOW


def measure_plan(plan: Plan) -> pd.DataFrame:
    """A frame of ``headrank.cost.measured.COLUMNS``; the method that all others are compared with is always measured.

    Raises InputError for an unknown method, for training methods mixed with others, and for a backbone or tokenizer
    that cannot be loaded.
    """
    plan = _checked(plan)
    backbone = _backbone(plan)
    chat = Chat(backbone.tokenizer)
    frames = []
    for n in plan.n:
        bench = Bench(backbone, make_workload(backbone.tokenizer, n, plan.words), chat, Settings())
        logger.info("%d passages, %d tokens", n, bench.tokens)
        chosen = contenders(bench, plan.methods, plan.depths)
        frames.append(measure(bench, chosen, plan.rounds, plan.slow))
    return pd.concat(frames, ignore_index=True)


def measure_plan_growth(plan: Plan, varied: Sequence[str]) -> pd.DataFrame:
    """HeadRank's pass around the plan's first list length and depth: a frame of ``cost.measured.GROWTH_COLUMNS``.

    varied: from ``headrank.cost.measured.SIZES``. Raises InputError as ``measure_plan`` does, and for an unknown size.
    """
    base = Point(plan.n[0], plan.words, plan.depths[0])
    # Unknown sizes are reported before a model is loaded.
    points(base, varied)
    return measure_growth(_backbone(plan), base, varied, plan.rounds)


def _checked(plan: Plan) -> Plan:
    unknown = [name for name in plan.methods if name not in (*NAMES, *TRAINING)]
    if unknown:
        raise UsageError(f"bench: no method {unknown[0]!r}; known: {', '.join((*NAMES, *TRAINING))}")
    trained = [name for name in plan.methods if name in TRAINING]
    if trained and len(trained) < len(plan.methods):
        raise UsageError("bench: training steps are measured on their own, not together with rerankers")
    base = "train" if trained else "headrank"
    return replace(plan, methods=tuple(dict.fromkeys([base, *plan.methods])))


def _backbone(plan: Plan) -> Backbone:
    if plan.backbone not in SHAPES:
        if plan.tokenizer:
            raise UsageError(f"bench: {plan.backbone} has its own tokenizer; leave {plan.tokenizer} out")
        return load_backbone(plan.backbone, dtype=plan.dtype, device=plan.device)
    device = choose_device() if plan.device == "auto" else plan.device
    tokenizer = load_tokenizer(plan.tokenizer) if plan.tokenizer else word_tokenizer()
    return random_backbone(plan.backbone, tokenizer, plan.dtype, device)
