"""JSON as this project writes it, read within bounds on size, depth and range of numbers.

Python's own reader takes more than JSON: NaN and infinities, numbers of any size (``1e999`` is infinity) and a key that
is given twice, of which the last counts.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from typing import Any

from headrank.data.files import MIB, read_whole
from headrank.errors import InputError, shown, unreadable

DEPTH = 64
# Of a file: what Python makes of it may take twenty times as much.
MOST_BYTES = 32 * MIB
# Longer than any 64-bit integer.
_DIGITS = 20


def read_json(path: str | os.PathLike[str], what: str, nan: bool = False) -> Any:
    """The value in a file. what: what it should be, for the message: ``path: no readable <what> (reason)``.

    nan: also accept NaN, which is not JSON.
    """
    try:
        return parse_json(read_whole(path, MOST_BYTES), nan)
    except (OSError, ValueError) as error:
        # An InputError of ``read_whole`` names the file already.
        reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{os.fspath(path)}: ")
        raise unreadable(error)(f"{path}: no readable {what} ({reason})") from None


def read_object(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """The object in a file; InputError as ``read_json``, also for any other value."""
    found = read_json(path, what)
    if not isinstance(found, dict):
        raise InputError(f"{path}: no readable {what} (not a JSON object)")
    return found


def parse_json(text: str | bytes, nan: bool = False) -> Any:
    """The value that a text spells; ValueError with the reason for whatever is not JSON within the bounds."""
    if len(text) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES // MIB} MiB")
    try:
        value = _DECODERS[nan].decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    _check_depth(value)
    return value


_TOO_DEEP = f"nested more than {DEPTH} levels deep"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {shown(twice)} is given twice")
    return found


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {shown(text)} is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"the number {shown(text)} is out of range")
    return int(text)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _constant_or_nan(name: str) -> float:
    return math.nan if name == "NaN" else _constant(name)


# Made once: a file of a collection has a text in each of millions of lines.
_DECODERS = {
    nan: json.JSONDecoder(
        object_pairs_hook=_object, parse_constant=constant, parse_float=_float, parse_int=_int
    )
    for nan, constant in ((False, _constant), (True, _constant_or_nan))
}


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH):
        inner = (item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer))
        level = [item for item in inner if isinstance(item, dict | list)]
        if not level:
            return
    if level:
        raise ValueError(_TOO_DEEP)
