"""What the paper claims, with the source, and the criteria by which a study checks it (R14).

Its tables are not public. The numbers are those of its abstract (arXiv 2604.17237); the abstract's second version says
less than the first ("consistently outperforms generative and decoding-free baselines") and is the one that is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["ndcg", "points", "share", "count"]

SCALES = ("0.6B", "1.7B", "4B")
PAPER_MODELS = {"Qwen/Qwen3-0.6B": "0.6B", "Qwen/Qwen3-1.7B": "1.7B", "Qwen/Qwen3-4B": "4B"}
"""The paper's backbones by their names on the Hugging Face hub, with the scale that its claims name."""

TRAINING_QUERIES = 211
BENCHMARKS = 14
METRIC = "nDCG@10"
# Not in the abstract: a reader of the paper reports it.
CANDIDATES = 40
PROMOTED_RELEVANT, PROMOTED_IRRELEVANT = 0.574, 0.142
LEAST_GAP = 0.30
"""R14's criterion: the order of magnitude of the published gap, which is over unknown benchmarks and first stages."""

_FIRST, _SECOND, _CRITERION = "abstract", "abstract, v2", "criterion R14"


@dataclass(frozen=True)
class Claim:
    """One claim. ``scales``: where it is made; ``averaged``: it is over benchmarks, of which the paper has 14."""

    name: str
    code: str
    statement: str
    unit: Unit
    published: str
    source: str
    scales: tuple[str, ...] = SCALES
    averaged: bool = False


CLAIMS = (
    Claim("highest-mean", "C1", "Highest mean nDCG@10", "ndcg", "at each scale", _SECOND, averaged=True),
    Claim(
        "most-benchmarks", "C2", "Highest on most benchmarks", "count", "most of 14", _SECOND, averaged=True
    ),
    Claim(
        "selectivity-gap",
        "C3",
        f"Gap of {100 * LEAST_GAP:.0f} points or more",
        "points",
        f"{100 * (PROMOTED_RELEVANT - PROMOTED_IRRELEVANT):.1f}"
        f" ({100 * PROMOTED_RELEVANT:.1f} − {100 * PROMOTED_IRRELEVANT:.1f})",
        _FIRST,
        scales=("4B",),
        averaged=True,
    ),
    Claim(
        "gap-widened",
        "C3",
        "Training widens the gap",
        "points",
        "",
        _CRITERION,
        scales=("4B",),
        averaged=True,
    ),
    Claim("depth", "C4", "Pass ends before the last layer", "share", "truncated", _FIRST),
    Claim("operations", "C4", "Fewer multiply-adds than ICR", "share", "", _CRITERION),
    Claim("formatting", "C5", "Sound format, RankGPT's not", "points", "100 %", _FIRST, scales=("0.6B",)),
    Claim("training-queries", "C6", f"Trained on {TRAINING_QUERIES} queries", "count", "211", _FIRST),
)
BY_NAME = {claim.name: claim for claim in CLAIMS}
