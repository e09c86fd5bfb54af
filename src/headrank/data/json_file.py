"""Reads a JSON file that a program wrote: whatever is wrong with it ends in one line that names the file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from headrank.errors import InputError


def read_json(path: str | Path, what: str) -> Any:
    """The value in a JSON file; what: names its content in messages ("no readable head set").

    Raises InputError that names the file, for one that is not there, is not JSON, is nested too deep, or holds a number
    that no computer number can hold. NaN is accepted: some statistics are undefined.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        return json.loads(text, parse_float=_finite, parse_constant=_constant)
    except OSError as error:
        raise InputError(f"{path}: {what} ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {what} ({error})") from error


def read_object(path: str | Path, what: str) -> dict[str, Any]:
    """The object in a JSON file; also raises InputError if it holds anything else."""
    found = read_json(path, what)
    if not isinstance(found, dict):
        raise InputError(f"{path}: {what} (no JSON object)")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _constant(text: str) -> float:
    if text != "NaN":
        raise ValueError(f"{text} is no finite number")
    return math.nan
