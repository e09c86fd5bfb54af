"""One number per finished rule: what its jobs found, in a few words.

Each is read from the files that the rule's jobs made. A file that is damaged or of another version has no headline;
``headrank check`` says what is wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrank.data.files import MIB, read_whole
from headrank.errors import InputError
from headrank.evaluation.bounds import BEST_ORDER, RANDOM_ORDER

if TYPE_CHECKING:
    import pandas as pd

Headline = Callable[[Path, Sequence[str]], str]
# How many models or collections a line names.
_NAMED = 3
# Bytes of a file of lines that is counted.
_COUNTED = 64 * MIB


def headline(rule: str, root: Path, outputs: Sequence[str]) -> str:
    """The headline of a rule's jobs; empty for a rule without one. outputs: all that they wrote, relative to root."""
    tell = _HEADLINES.get(rule)
    if tell is None:
        return ""
    try:
        return tell(root, outputs)
    except (InputError, OSError, KeyError, ValueError, TypeError, IndexError):
        return ""


def _queries(root: Path, outputs: Sequence[str]) -> str:
    return _lines(root, outputs, "queries.jsonl", "queries")


def _passages(root: Path, outputs: Sequence[str]) -> str:
    return _lines(root, outputs, "passages.jsonl", "passages")


def _lines(root: Path, outputs: Sequence[str], ending: str, what: str) -> str:
    total = 0
    for output in outputs:
        if output.endswith(ending):
            total += read_whole(root / output, _COUNTED).count(b"\n")
    return f"{total:,} {what}"


def _leakage(root: Path, outputs: Sequence[str]) -> str:
    from headrank.data.leakage import read_leaks

    leaks, action = read_leaks(root / outputs[0])
    queries = {(leak.pool, leak.qid) for leak in leaks}
    if not queries:
        return "no training query is a test query"
    return f"{len(queries)} training queries are test queries ({action})"


def _first_stage(root: Path, outputs: Sequence[str]) -> str:
    from headrank.data.frames import read_parquet

    frame = read_parquet(root / outputs[0], ["collection", "metric", "value"])
    metric = frame["metric"].iloc[0]
    rows = frame[frame["metric"] == metric]
    told = [(str(name), f"{v:.3f}") for name, v in zip(rows["collection"], rows["value"], strict=True)]
    return f"{metric} {_named(told)}"


def _training_lists(root: Path, outputs: Sequence[str]) -> str:
    from headrank.data.frames import read_parquet

    frames = [read_parquet(root / name, ["list_id"]) for name in outputs]
    return f"{sum(int(frame['list_id'].nunique()) for frame in frames):,} lists"


def _heads(root: Path, outputs: Sequence[str]) -> str:
    """Where the heads of HeadRank are, or those of the first method by name."""
    from headrank.heads.head_set import HeadSet

    found: dict[str, tuple[str, HeadSet]] = {}
    for output in sorted(outputs):
        place = Path(output)
        if place.suffix == ".json" and place.parts[0] == "heads":
            model, method = place.parts[1], place.stem
            if model not in found or method == "headrank":
                found[model] = method, HeadSet.load(root / output)
    told = []
    for model, (method, heads) in found.items():
        layers = [layer for layer, _ in heads.heads]
        where = f"layers {min(layers)}–{max(layers)}"
        told.append((model, f"{len(heads.heads)} heads in {where} ({method})"))
    return _named(told)


def _pairs(root: Path, outputs: Sequence[str]) -> str:
    from headrank.data.frames import read_parquet

    frames = [read_parquet(root / name, ["list_id"]) for name in outputs if name.endswith("pairs.parquet")]
    return f"{sum(map(len, frames)):,} pairs"


def _training(root: Path, outputs: Sequence[str]) -> str:
    """nDCG on held-out training lists before and after HeadRank's training."""
    from headrank.data.frames import read_csv

    told = []
    for output in sorted(outputs):
        place = Path(output)
        if place.name != "curve.csv" or place.parts[2] != "headrank":
            continue
        curve = read_csv(root / output, "curve", "train again")
        held = curve[curve["split"] == "heldout"]
        if len(held):
            kept = held[held["kept"].astype(bool)]
            after = (kept if len(kept) else held)["ndcg"].iloc[-1]
            told.append((place.parts[1], f"{held['ndcg'].iloc[0]:.3f} → {after:.3f}"))
    return f"nDCG on held-out lists {_named(told)}" if told else ""


def _runs(root: Path, outputs: Sequence[str]) -> str:
    return f"{sum(output.endswith('.trec') for output in outputs)} runs"


def _metrics(root: Path, outputs: Sequence[str]) -> str:
    """The best method on each model by the mean over benchmarks of the first metric, beside the first stage."""
    from headrank.data.frames import read_parquet

    main = next(output for output in outputs if Path(output).stem == "main")
    frame = read_parquet(root / main, ["backbone", "benchmark", "method", "metric", "value"])
    metric = frame["metric"].iloc[0]
    rows = frame[frame["metric"] == metric]
    means = rows.groupby(["backbone", "method", "benchmark"])["value"].mean()
    means = means.groupby(["backbone", "method"]).mean()
    told = []
    for model, part in means.groupby(level=0):
        # The first stage has no model; the bounds on any order of its candidates are no methods.
        scores = part.droplevel(0).drop([RANDOM_ORDER, BEST_ORDER], errors="ignore")
        told.append((str(model), f"{scores.max():.3f} ({scores.idxmax()})") if model else _alone(scores))
    return f"{metric} {_named(told)}"


def _alone(scores: pd.Series) -> tuple[str, str]:
    return str(scores.index[0]), f"{scores.iloc[0]:.3f}"


def _tests(root: Path, outputs: Sequence[str]) -> str:
    from headrank.data.frames import read_parquet

    frames = [read_parquet(root / output) for output in outputs]
    p = [value for frame in frames for value in frame["p_holm"]]
    return f"{sum(value < 0.05 for value in p)} of {len(p)} comparisons significant"


def _claims(root: Path, outputs: Sequence[str]) -> str:
    from headrank.data.frames import read_parquet

    counts = read_parquet(root / outputs[0], ["verdict"])["verdict"].value_counts(sort=False)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def _seconds(root: Path, outputs: Sequence[str]) -> str:
    from headrank.data.frames import read_parquet

    told = []
    for name in sorted(outputs):
        frame = read_parquet(root / name)
        mine = frame[frame["method"] == "headrank"]["seconds"]
        if len(mine) and math.isfinite(float(mine.median())):
            told.append((Path(name).stem, f"{float(mine.median()):.2f} s"))
    return f"HeadRank, one list: {_named(told)}" if told else ""


def _listed(root: Path, outputs: Sequence[str]) -> str:
    return _lines(root, outputs, "manifest.sha256", "files")


def _named(told: Sequence[tuple[str, str]]) -> str:
    more = f", {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return ", ".join(f"{name} {value}" for name, value in told[:_NAMED]) + more


_HEADLINES: dict[str, Headline] = {
    "synthesize": _queries,
    "collection": _queries,
    "training_set": _queries,
    "leakage": _leakage,
    "first_stage": _first_stage,
    "passages": _passages,
    "lists": _training_lists,
    "detect": _heads,
    "select": _heads,
    "mine": _pairs,
    "train": _training,
    "frozen": _runs,
    "rerank": _runs,
    "generate": _runs,
    "judge": _runs,
    "gather_frozen": _runs,
    "gather_rerank": _runs,
    "gather_generate": _runs,
    "gather_judge": _runs,
    "clock": _seconds,
    "evaluate": _metrics,
    "significance": _tests,
    "claims": _claims,
    "manifest": _listed,
}
