"""From rounds to ratios: each contender against another of the same round, and against the machine's rate."""

from __future__ import annotations

import pandas as pd

from headrank.cost.measured import PRODUCT
from headrank.errors import InputError

KEYS = ["backbone", "dtype", "device", "threads", "n", "passage_tokens"]
WHO = ["method", "layers", "depth"]
FACTS = ["passes", "tokens", "operations", "memory"]
# The depth at which truncated passes represent HeadRank: the paper's chosen heads end a little above half the layers.
REFERENCE = 0.55


def summarise(rounds: pd.DataFrame, reference: float | None = None) -> pd.DataFrame:
    """One row per backbone, n and contender, from a frame of ``headrank.cost.measured.COLUMNS``.

    seconds, fastest, slowest: median, least and most over the rounds. times: the contender's time divided by HeadRank's
    at the reference depth (in training, by that of its step), median over the rounds. share: the contender's operations
    per second as a share of the machine's rate, measured in the same rounds. The machine's rate has its own row, whose
    only numbers are seconds.
    """
    depth = reference_depth(rounds) if reference is None else reference
    one = rounds[(rounds["method"] == _base(rounds)) & (rounds["depth"] == depth)]
    base = one.set_index([*KEYS, "round"])["seconds"].rename("base")
    product = rounds[rounds["method"] == PRODUCT].set_index([*KEYS, "round"])
    rate = (product["operations"] / product["seconds"]).rename("rate")
    frame = rounds.join(base, on=[*KEYS, "round"]).join(rate, on=[*KEYS, "round"])
    frame["times"] = frame["seconds"] / frame["base"]
    frame["share"] = (frame["operations"] / frame["seconds"] / frame["rate"]).where(
        frame["method"] != PRODUCT
    )
    groups = frame.groupby([*KEYS, *WHO, *FACTS], sort=False, dropna=False)
    return groups.agg(
        seconds=("seconds", "median"),
        fastest=("seconds", "min"),
        slowest=("seconds", "max"),
        times=("times", "median"),
        share=("share", "median"),
        rounds=("seconds", "size"),
    ).reset_index()


def reference_depth(rounds: pd.DataFrame) -> float:
    """The measured depth nearest to ``REFERENCE``."""
    depths = rounds.loc[rounds["method"] == _base(rounds), "depth"].unique()
    return float(min(depths, key=lambda d: (abs(d - REFERENCE), d)))


def _base(rounds: pd.DataFrame) -> str:
    """What all others are compared with: HeadRank's pass, or its training step."""
    found = [name for name in ("headrank", "train") if name in set(rounds["method"])]
    if not found:
        raise InputError("the measurement has no headrank row to compare with")
    return found[0]


def paired(rounds: pd.DataFrame, one: str, other: str, depth: float, other_depth: float) -> pd.Series:
    """Time of ``one`` over that of ``other``, median over the rounds, by ``KEYS``; empty where one is missing."""
    a, b = (
        rounds[(rounds["method"] == name) & (rounds["depth"] == at)].set_index([*KEYS, "round"])["seconds"]
        for name, at in ((one, depth), (other, other_depth))
    )
    ratio = (a / b).dropna()
    return ratio.groupby(level=KEYS).median() if len(ratio) else ratio.droplevel("round")
