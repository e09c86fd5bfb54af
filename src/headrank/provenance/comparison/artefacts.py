"""What differs between two artefacts of the same name, in terms of their kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from headrank.data.frames import read_csv, read_parquet
from headrank.data.trec import read_run
from headrank.heads.head_set import HeadSet

# Columns that tell the rows of a table or frame apart; all others are compared.
_KEYS = ["backbone", "benchmark", "method", "qid", "metric"]


def table_difference(one: Path, other: Path) -> str:
    """Of two CSV tables: rows and columns on one side only, cells that differ, the largest absolute difference."""
    frames = [_read_csv(path) for path in (one, other)]
    return frame_difference(*frames)


def frame_difference(one: pd.DataFrame, other: pd.DataFrame) -> str:
    """As ``table_difference``, of two frames whose rows are in the same order."""
    told = []
    if len(one) != len(other):
        return f"{len(one)} rows against {len(other)}"
    for mine, yours, side in ((one, other, "first"), (other, one, "second")):
        if only := [column for column in mine.columns if column not in yours.columns]:
            told.append(f"columns {', '.join(map(str, only))} only in the {side}")
    largest, place, numbers, texts = -1.0, "", 0, 0
    for column in (column for column in one.columns if column in other.columns):
        left, right = one[column], other[column]
        numeric = all(pd.api.types.is_numeric_dtype(part) for part in (left, right))
        if not numeric:
            texts += sum(str(a) != str(b) for a, b in zip(left, right, strict=True))
            continue
        for a, b in zip(left.astype(float), right.astype(float), strict=True):
            if a == b or (math.isnan(a) and math.isnan(b)):
                continue
            numbers += 1
            # A number on one side only is a larger difference than any between numbers.
            gap = abs(a - b) if not math.isnan(a - b) else math.inf
            if gap > largest:
                largest, place = gap, str(column)
    if texts:
        told.append(f"{texts} cells of text differ")
    if numbers:
        size = "a number against none" if math.isinf(largest) else f"{largest:.6g}"
        told.append(f"{numbers} numbers differ, the largest difference is {size} (column {place})")
    return "; ".join(told) or "equal values, written differently"


def metric_difference(one: Path, other: Path) -> str:
    """Of two files of metrics per query: how many queries differ, and the mean difference over those in both."""
    left, right = read_parquet(one), read_parquet(other)
    needed = {*_KEYS, "value"}
    if not all(_per_query(frame, needed) for frame in (left, right)):
        return frame_difference(left, right)
    left, right = (frame.astype(dict.fromkeys(_KEYS, str)) for frame in (left, right))
    both = left.merge(right, on=_KEYS, how="outer", suffixes=("_one", "_other"), indicator=True)
    alone = both["_merge"].value_counts()
    told = []
    for side, name in (("left_only", "first"), ("right_only", "second")):
        if alone.get(side, 0):
            told.append(f"{alone[side]} values only in the {name}")
    shared = both[both["_merge"] == "both"]
    gap = shared["value_other"] - shared["value_one"]
    changed = shared[gap != 0]
    for metric, rows in changed.groupby("metric"):
        mine = gap[rows.index]
        every = gap[shared.index[shared["metric"] == metric]]
        queries = len(rows[["benchmark", "qid"]].drop_duplicates())
        told.append(
            f"{metric} differs in {len(rows)} of {len(every)} rankings ({queries} queries); mean difference"
            f" {every.mean():+.6f} (second - first), largest {mine.abs().max():.6f}"
        )
    return "; ".join(told) or "equal values, written differently"


def run_difference(one: Path, other: Path) -> str:
    """Of two TREC runs: how many rankings have another order."""
    left, right = read_run(one), read_run(other)
    shared = [qid for qid in left if qid in right]
    told = []
    for mine, yours, side in ((left, right, "first"), (right, left, "second")):
        if only := [qid for qid in mine if qid not in yours]:
            told.append(f"{len(only)} queries only in the {side}")
    orders = sum([d for d, _ in left[qid]] != [d for d, _ in right[qid]] for qid in shared)
    if orders:
        told.append(f"{orders} of {len(shared)} rankings have another order")
    elif any(left[qid] != right[qid] for qid in shared):
        told.append(f"same order of all {len(shared)} rankings, scores differ")
    return "; ".join(told) or "equal rankings, written differently"


def heads_difference(one: Path, other: Path) -> str:
    """Of two head sets: which heads only one of them has, or else which fields of the files differ."""
    left, right = HeadSet.load(one), HeadSet.load(other)
    told = []
    if (left.n_layers, left.n_heads) != (right.n_layers, right.n_heads):
        told.append("head sets of models of different shapes")
    for one_set, other_set, side in ((left, right, "first"), (right, left, "second")):
        if only := [
            f"{layer}-{head}" for layer, head in one_set.heads if (layer, head) not in other_set.heads
        ]:
            told.append(f"only in the {side}: {' '.join(only)}")
    if set(left.heads) == set(right.heads):
        same = "in the same order" if left.heads == right.heads else "in another order"
        mine, yours = left.described(), right.described()
        fields = [name for name in mine if name != "heads" and mine[name] != yours[name]]
        told.append(f"same heads {same}" + (f"; {', '.join(fields)} differ" if fields else ""))
    return "; ".join(told)


def artefact_kind(name: str) -> str:
    """What a file of a results folder is, by its path."""
    parts = name.split("/")
    if parts[0] == "tables" and name.endswith(".csv"):
        return "tables"
    if parts[0] == "metrics" and name.endswith(".parquet"):
        return "metrics"
    if name.endswith(".trec") and (parts[0] == "runs" or parts[-1] == "candidates.trec"):
        return "runs"
    if name.endswith(".json") and (parts[0] == "heads" or parts[-1] == "heads.json"):
        return "heads"
    return "other files"


TOLD = {
    "metrics": metric_difference,
    "tables": table_difference,
    "runs": run_difference,
    "heads": heads_difference,
}


def _read_csv(path: Path) -> pd.DataFrame:
    return read_csv(path, "table", "run headrank check on its folder")


def artefact_kinds() -> Sequence[str]:
    """Kinds of artefacts, those that matter most first."""
    return [*TOLD, "other files"]


def _per_query(frame: pd.DataFrame, needed: set[str]) -> bool:
    """Whether a frame is one of metrics: a number for each combination of the keys, once."""
    if not needed <= set(frame.columns) or not pd.api.types.is_numeric_dtype(frame["value"]):
        return False
    return not frame[_KEYS].astype(str).duplicated().any()
