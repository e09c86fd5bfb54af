"""Splits work over queries into parts that different jobs can do: a shard is some blocks of queries.

Blocks have a fixed size, and no forward pass or batch ever holds queries of two blocks. So the results are the same to
the last bit, however many shards there are.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd

from headrank.engine.features import Features
from headrank.errors import PrerequisiteError, UsageError

BLOCK = 16
Item = TypeVar("Item")


def blocks_of(items: Sequence[Item], shard: int, shards: int, offset: int = 0) -> list[Sequence[Item]]:
    """The blocks of ``items`` that shard number ``shard`` (from 0) of ``shards`` works on, in order.

    Blocks are dealt out in turn; ``offset`` is the shard that gets the first one, so that small sets do not all go to
    the same shard. Raises InputError for a number out of range.
    """
    if not 0 <= shard < shards:
        raise UsageError(f"shards: number {shard} is not within 0..{shards - 1}")
    starts = range(0, len(items), BLOCK)
    return [items[start : start + BLOCK] for b, start in enumerate(starts) if (b + offset) % shards == shard]


def join_frames(parts: Sequence[pd.DataFrame], qids: Sequence[str], every: bool = True) -> pd.DataFrame:
    """Rows by query (column ``qid``) of all parts, in the order of ``qids``; within a query as they are.

    With ``every``, InputError names queries that no part holds; without, a query may have no row.
    """
    # Empty frames are left out: their column types mean nothing.
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    place = {qid: i for i, qid in enumerate(qids)}
    found = whole["qid"].astype(str)
    if every:
        _check(qids, set(found))
    order = np.argsort(found.map(place).to_numpy(), kind="stable")
    return whole.iloc[order].reset_index(drop=True)


def join_features(parts: Sequence[Features], ids: Sequence[str]) -> Features:
    """The lists of all parts in the order of ``ids``, padded to the longest; InputError names what no part holds."""
    parts = [part for part in parts if part.ids] or parts[:1]
    held = [name for part in parts for name in part.ids]
    place = {name: i for i, name in enumerate(held)}
    _check(ids, place)
    rows = np.array([place[name] for name in ids], dtype=np.intp)
    first = parts[0]
    for part in parts[1:]:
        part.identity.check(first.identity, "shards: a part's features", "read from", "read them again")
    values = {}
    for name in first.values:
        arrays = [part.values[name] for part in parts]
        if name in ("token_entropy", "states"):
            joined = np.concatenate(arrays)
        else:
            longest = max(array.shape[-1] for array in arrays)
            joined = np.concatenate([_padded(array, longest) for array in arrays])
        values[name] = np.ascontiguousarray(joined[rows])
    return replace(first, ids=tuple(ids), values=values)


def _padded(array: np.ndarray, longest: int) -> np.ndarray:
    widths = [(0, 0)] * (array.ndim - 1) + [(0, longest - array.shape[-1])]
    return np.pad(array, widths, constant_values=np.nan)


def _check(wanted: Sequence[str], held: Container[str]) -> None:
    missing = [name for name in wanted if name not in held]
    if missing:
        raise PrerequisiteError(
            f"shards: {len(missing)} of {len(wanted)} queries are in none of the parts, such as {missing[0]}; "
            "run the missing shards"
        )
