"""What the measurement should reach, as ratios within one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from headrank.cost.ratios import KEYS, paired, reference_depth, summarise

# Goals are for lists of at least this many passages: with fewer, a pass ends before the machine reaches its full rate.
FROM = 20
SLOWER = {"eager": 4.0, "two-passes": 1.8, "qwen3-reranker": 2.5, "rankgpt": 10.0}
TRAINING_SPEEDUP = 2.0
OVERHEAD = 1.05
ROOFLINE = {"cpu": 0.85, "cuda": 0.5}


@dataclass(frozen=True)
class Outcome:
    """One goal at one size: the ratio measured, the bound, and whether it is kept."""

    goal: str
    backbone: str
    n: int
    value: float
    bound: float
    kept: bool

    def __str__(self) -> str:
        sign = "kept  " if self.kept else "MISSED"
        return f"{sign} {self.goal:<58} {self.backbone:<12} N={self.n:<4} {self.value:6.2f}  bound {self.bound:g}"


def outcomes(rounds: pd.DataFrame, margin: float = 0.0) -> list[Outcome]:
    """Every goal that the measurement has the numbers for, lists of at least ``FROM`` passages.

    margin: by what fraction each bound is relaxed, for small shapes and noisy machines.
    """
    found = list(_training(rounds, margin))
    rounds = rounds[(rounds["n"] >= FROM) & ~rounds["method"].str.startswith("train")]
    if (rounds["method"] == "headrank").any():
        for goal in (_overhead, _memory, _slower, _roofline):
            found += goal(rounds, margin)
    return found


def _at_most(goal: str, values: pd.Series, bound: float) -> Iterator[Outcome]:
    yield from _judged(goal, values, bound, lambda value: value <= bound)


def _at_least(goal: str, values: pd.Series, bound: float) -> Iterator[Outcome]:
    yield from _judged(goal, values, bound, lambda value: value >= bound)


def _judged(goal: str, values: pd.Series, bound: float, kept: Callable[[float], bool]) -> Iterator[Outcome]:
    for key, value in values.items():
        named = dict(zip(KEYS, key, strict=True))  # type: ignore[call-overload]
        yield Outcome(goal, named["backbone"], named["n"], float(value), bound, bool(kept(float(value))))


def _training(rounds: pd.DataFrame, margin: float) -> Iterator[Outcome]:
    for depth in rounds.loc[rounds["method"] == "train", "depth"].unique():
        values = paired(rounds, "train-plain", "train", depth, depth)
        yield from _at_least(
            f"plain peft loop, times a step at depth {depth:.0%}", values, TRAINING_SPEEDUP * (1 - margin)
        )


def _overhead(rounds: pd.DataFrame, margin: float) -> Iterator[Outcome]:
    for depth in sorted(rounds.loc[rounds["method"] == "headrank", "depth"].unique()):
        values = paired(rounds, "headrank", "forward", depth, depth)
        yield from _at_most(
            f"time over the plain forward at depth {depth:.0%}", values, OVERHEAD * (1 + margin)
        )


def _memory(rounds: pd.DataFrame, margin: float) -> Iterator[Outcome]:
    found = rounds.drop_duplicates([*KEYS, "method", "depth"]).set_index([*KEYS, "depth", "method"])["memory"]
    by_method = found.unstack("method")
    if {"headrank", "forward"} <= set(by_method.columns):
        for depth, part in (by_method["headrank"] / by_method["forward"]).dropna().groupby(level="depth"):
            values = part.droplevel("depth")
            yield from _at_most(
                f"memory over the plain forward at depth {depth:.0%}", values, OVERHEAD * (1 + margin)
            )


def _slower(rounds: pd.DataFrame, margin: float) -> Iterator[Outcome]:
    depth = reference_depth(rounds)
    for name, bound in SLOWER.items():
        values = paired(rounds, name, "headrank", 1.0, depth)
        yield from _at_least(f"{name}, times headrank at depth {depth:.0%}", values, bound * (1 - margin))


def _roofline(rounds: pd.DataFrame, margin: float) -> Iterator[Outcome]:
    summary = summarise(rounds)
    rows = summary[summary["method"] == "headrank"]
    for (device, depth), part in rows.groupby(["device", "depth"]):
        bound = ROOFLINE.get(str(device))
        if bound is not None:
            values = part.set_index(KEYS)["share"]
            yield from _at_least(
                f"share of the matrix rate at depth {depth:.0%}", values, bound * (1 - margin)
            )
