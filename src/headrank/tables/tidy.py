"""Checks on the tidy frames that tables and figures are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from headrank.errors import InputError


def require(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise InputError unless ``frame`` has rows and all of ``columns``; ``what`` names it in the message."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        has = ", ".join(str(column) for column in frame.columns) or "none"
        raise InputError(f"{what}: missing column(s) {', '.join(missing)}; it has {has}")
    if frame.empty:
        raise InputError(f"{what}: no rows, expected {', '.join(columns)}; rerun the stage that writes it")


def require_unique(frame: pd.DataFrame, keys: Sequence[str], what: str) -> None:
    """Raise InputError when two rows share their ``keys``."""
    repeated = frame[frame.duplicated(list(keys))]
    if not repeated.empty:
        first = ", ".join(f"{key}={repeated.iloc[0][key]}" for key in keys)
        raise InputError(f"{what}: more than one row for {first}; give one row each")


def require_finite(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise InputError when one of the numeric ``columns`` holds NaN or infinity."""
    for column in columns:
        bad = ~np.isfinite(frame[column].to_numpy(dtype=float))
        if bad.any():
            where = f"the first in row {int(bad.argmax())} of {len(frame)}"
            raise InputError(f"{what}: {int(bad.sum())} value(s) of {column} are not finite, {where}")


def require_shares(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise InputError when one of ``columns`` holds a number outside 0 to 1 (NaN is allowed)."""
    for column in columns:
        values = frame[column].to_numpy(dtype=float)
        bad = (values < 0) | (values > 1)
        if bad.any():
            raise InputError(f"{what}: {column} must be a share from 0 to 1, got {values[bad.argmax()]:g}")


def in_order(present: Iterable[str], asked: Sequence[str] | None, what: str) -> list[str]:
    """The ids to show: those ``asked`` for, else those present in order of first appearance.

    Raises InputError when an id asked for is not there.
    """
    known = list(dict.fromkeys(present))
    if asked is None:
        return known
    absent = [name for name in asked if name not in known]
    if absent:
        raise InputError(f"{what}: no rows for {', '.join(absent)}; it has {', '.join(known)}")
    return list(asked)


def records(
    frame: pd.DataFrame, keys: Sequence[str], values: Sequence[str], what: str
) -> dict[tuple[str, ...], dict[str, float]]:
    """``frame`` as a dictionary from its ``keys`` (a missing one is "") to its ``values`` as floats.

    Raises InputError for missing columns, no rows, or two rows with the same keys.
    """
    require(frame, [*keys, *values], what)
    named = frame.assign(**{key: frame[key].fillna("").astype(str) for key in keys})
    require_unique(named, keys, what)
    columns = [named[value].to_numpy(dtype=float).tolist() for value in values]
    ids = zip(*(named[key].tolist() for key in keys), strict=True)
    return {
        key: dict(zip(values, numbers, strict=True))
        for key, numbers in zip(ids, zip(*columns, strict=True), strict=True)
    }
