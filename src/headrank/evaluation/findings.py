"""What one backbone of a study shows for each of the paper's claims (R14): measured value, interval, met or not.

A claim over benchmarks is measured on those of one panel: all of the study, or those of one of its averages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headrank.errors import InputError
from headrank.evaluation.bootstrap import Floats, drawn_sums, percentile_interval
from headrank.evaluation.published import LEAST_GAP, TRAINING_QUERIES
from headrank.evaluation.significance import Resampling, bootstrap_interval

NAN = float("nan")
OURS, UNTRAINED, ICR, WRITER = "headrank", "headrank-untrained", "icr", "rankgpt"
DECODING_FREE, GENERATIVE = ("frozen", "trained"), ("generative",)
ZONE_COLUMNS = ["relevant", "relevant_promoted", "irrelevant", "irrelevant_promoted"]
# Rounding of a sum must not decide a tie.
_ABOVE = 1e-12


@dataclass(frozen=True)
class Finding:
    """What was measured for one claim.

    met: None where it could not be judged. ours, theirs: the two figures that ``measured`` compares; the second belongs
    to ``rival`` if that is a method. reason: why it could not be judged, or what the evidence lacks. partial: the
    missing evidence could still refute the claim.
    """

    met: bool | None
    measured: float = NAN
    low: float = NAN
    high: float = NAN
    ours: float = NAN
    theirs: float = NAN
    rival: str = ""
    reason: str = ""
    partial: bool = False


@dataclass(frozen=True)
class Measurements:
    """Everything that the claims are judged by, for one backbone.

    values: per benchmark the metric, a row per query and a column per method. kinds: method -> its kind
    (``tables.kinds``). trained, untrained: per benchmark the zone counts of ``selectivity.zone_counts``. costs: a row
    per method, see ``cost_table``. formats: rows of HeadRank, see ``format_table``. calls: per benchmark what RankGPT
    answered, see ``generative.calls``. queries: on how many HeadRank was trained.
    """

    values: Mapping[str, pd.DataFrame]
    kinds: Mapping[str, str]
    trained: Mapping[str, pd.DataFrame]
    untrained: Mapping[str, pd.DataFrame]
    costs: pd.DataFrame
    formats: pd.DataFrame
    calls: Mapping[str, pd.DataFrame]
    queries: int


def findings(
    of: Measurements, panels: Mapping[str, Sequence[str]], settings: Resampling | None = None
) -> Iterator[tuple[str, str, Finding]]:
    """(claim, panel, finding) of every claim, in the order of ``published.CLAIMS``; panel "" where there is none."""
    settings = settings or Resampling()
    for panel, members in panels.items():
        yield "highest-mean", panel, highest_mean(of, members, settings)
    for panel, members in panels.items():
        yield "most-benchmarks", panel, most_benchmarks(of, members, settings)
    for panel, members in panels.items():
        yield "selectivity-gap", panel, selectivity_gap(of, members, settings)
    for panel, members in panels.items():
        yield "gap-widened", panel, gap_widened(of, members, settings)
    yield "depth", "", depth(of)
    yield "operations", "", operations(of)
    yield "formatting", "", formatting(of, settings)
    yield "training-queries", "", training_queries(of)


def highest_mean(of: Measurements, members: Sequence[str], settings: Resampling) -> Finding:
    """C1: HeadRank's mean over benchmarks minus the best rival's, with the interval of the paired difference."""
    rivals, reason, partial = _rivals(of, members)
    if not rivals:
        return Finding(None, reason=reason)
    means = {m: float(np.mean([of.values[b][m].mean() for b in members])) for m in [OURS, *rivals]}
    best = max(rivals, key=means.__getitem__)
    differences = [(of.values[b][OURS] - of.values[b][best]).to_numpy() for b in members]
    away = means[OURS] - means[best]
    low, high = bootstrap_interval(differences, settings)
    return Finding(away > _ABOVE, away, low, high, means[OURS], means[best], best, reason, partial)


def most_benchmarks(of: Measurements, members: Sequence[str], settings: Resampling) -> Finding:
    """C2: on how many benchmarks no rival reaches HeadRank's mean; wins are counted again in every resample."""
    rivals, reason, partial = _rivals(of, members)
    if not rivals:
        return Finding(None, reason=reason)
    strata = [of.values[b][[OURS, *rivals]].to_numpy(dtype=float) for b in members]
    sizes = np.array([len(values) for values in strata])[:, None]

    def won(sums: Floats) -> Floats:
        means = sums / sizes
        wins: Floats = (means[..., 0] > means[..., 1:].max(axis=-1) + _ABOVE).sum(axis=-1)
        return wins

    wins = float(won(np.stack([values.sum(axis=0) for values in strata])))
    low, high = percentile_interval(won(drawn_sums(strata, settings)), settings)
    return Finding(
        2 * wins > len(members), wins, low, high, wins, len(members), reason=reason, partial=partial
    )


def selectivity_gap(of: Measurements, members: Sequence[str], settings: Resampling) -> Finding:
    """C3: share of the relevant minus share of the irrelevant middle-zone documents promoted, pooled."""
    absent = _unranked(of, members)
    if absent:
        return Finding(None, reason=absent)
    strata = [of.trained[b][ZONE_COLUMNS].to_numpy(dtype=float) for b in members if len(of.trained[b])]
    if not strata or 0 in sum(values.sum(axis=0) for values in strata)[[0, 2]]:
        return Finding(None, reason="the middle zone has no relevant or no irrelevant documents")
    relevant, irrelevant = _shares(np.stack([values.sum(axis=0) for values in strata]))
    drawn = _shares(drawn_sums(strata, settings))
    low, high = percentile_interval(drawn[0] - drawn[1], settings)
    gap = float(relevant - irrelevant)
    return Finding(gap >= LEAST_GAP, gap, low, high, float(relevant), float(irrelevant))


def gap_widened(of: Measurements, members: Sequence[str], settings: Resampling) -> Finding:
    """C3: HeadRank's gap minus that of its untrained heads; met if the whole interval is above zero."""
    absent = _unranked(of, members)
    if absent:
        return Finding(None, reason=absent)
    strata = []
    for name in members:
        after, before = (frame[ZONE_COLUMNS].sort_index() for frame in (of.trained[name], of.untrained[name]))
        if not after.index.equals(before.index):
            raise InputError(f"{name}: the middle zones of {OURS} and {UNTRAINED} differ in their queries")
        if len(after):
            strata.append(np.hstack([after.to_numpy(dtype=float), before.to_numpy(dtype=float)]))
    whole = np.stack([values.sum(axis=0) for values in strata]) if strata else np.zeros((1, 8))
    if 0 in whole.sum(axis=0)[[0, 2]]:
        return Finding(None, reason="the middle zone has no relevant or no irrelevant documents")

    def gaps(sums: Floats) -> tuple[Floats, Floats]:
        trained, untrained = _shares(sums[..., :4]), _shares(sums[..., 4:])
        return trained[0] - trained[1], untrained[0] - untrained[1]

    ours, theirs = map(float, gaps(whole))
    drawn = gaps(drawn_sums(strata, settings))
    low, high = percentile_interval(drawn[0] - drawn[1], settings)
    return Finding(low > 0, ours - theirs, low, high, ours, theirs, UNTRAINED)


def depth(of: Measurements) -> Finding:
    """C4: layers that HeadRank runs, as a share of the backbone's, all of which ICR runs."""
    run, total = (float(of.costs[name][OURS]) for name in ("layers_run", "layers_total"))
    return Finding(run < total, run / total, ours=run, theirs=total)


def operations(of: Measurements) -> Finding:
    """C4: multiply-adds of HeadRank per query as a share of ICR's, which equal Selective-ICR's over all layers."""
    if ICR not in of.costs.index:
        return Finding(None, reason="ICR is not among the methods")
    share = of.costs["share"]
    ours, theirs = float(share[OURS]), float(share[ICR])
    return Finding(ours < theirs, ours / theirs, ours=ours, theirs=theirs, rival=ICR)


def formatting(of: Measurements, settings: Resampling) -> Finding:
    """C5: share of HeadRank's rankings that are permutations minus that of RankGPT's answers, before any repair."""
    if not of.calls:
        return Finding(None, reason="RankGPT is not among the methods")
    asked = int(of.formats["queries"].sum())
    ours = float(of.formats["permutations"].sum() / asked)
    answers = [c.groupby("qid")["complete"].agg(["sum", "size"]).to_numpy(float) for c in of.calls.values()]
    complete, calls = sum(values.sum(axis=0) for values in answers)
    drawn = drawn_sums(answers, settings).sum(axis=1)
    low, high = percentile_interval(ours - drawn[:, 0] / drawn[:, 1], settings)
    theirs = float(complete / calls)
    answered = sum(map(len, answers))
    partial = answered < asked
    reason = f"RankGPT on {answered} of {asked} queries" if partial else ""
    return Finding(ours == 1 > theirs, ours - theirs, low, high, ours, theirs, WRITER, reason, partial)


def training_queries(of: Measurements) -> Finding:
    """C6: how many queries heads and pairs come from."""
    return Finding(of.queries == TRAINING_QUERIES, of.queries)


def _rivals(of: Measurements, members: Sequence[str]) -> tuple[list[str], str, bool]:
    """Decoding-free and generative methods with a value for every query, what is missing, and whether anything is."""
    absent = _unranked(of, members)
    if absent:
        return [], absent, True
    methods = list(dict.fromkeys(str(m) for name in members for m in of.values[name]))
    compared = [m for m in methods if m != OURS and of.kinds[m] in (*DECODING_FREE, *GENERATIVE)]
    whole = [m for m in compared if all(m in of.values[b] and of.values[b][m].notna().all() for b in members)]
    lacks = [
        f"no {name} method on all queries"
        for name, kinds in (("decoding-free", DECODING_FREE), ("generative", GENERATIVE))
        if not any(of.kinds[m] in kinds for m in whole)
    ]
    short = [m for m in compared if m not in whole]
    if short:
        lacks.append(f"not on all queries: {', '.join(short)}")
    return whole, "; ".join(lacks), bool(lacks)


def _unranked(of: Measurements, members: Sequence[str]) -> str:
    """Why HeadRank's value on some benchmark is missing; empty where it has all."""
    for name in members:
        if name not in of.values or OURS not in of.values[name] or of.values[name][OURS].isna().any():
            return f"HeadRank was not evaluated on all of {name}"
    return ""


def _shares(sums: Floats) -> tuple[Floats, Floats]:
    """Promoted shares of relevant and irrelevant documents, pooled over benchmarks; sums: (..., benchmarks, 4)."""
    relevant, promoted, irrelevant, wrongly = np.moveaxis(sums.sum(axis=-2), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return promoted / relevant, wrongly / irrelevant
