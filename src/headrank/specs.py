"""Reads plain mappings, as YAML gives them, into frozen dataclasses, and checks every key and every value's type.

A number's field may have bounds as well as a type; the configuration's schema takes the bounds from here. Numbers must
be finite, with or without bounds: a comparison with NaN is false, so NaN would be within all bounds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from headrank.errors import UsageError, shown, shown_key, suggestion

T = TypeVar("T")


@dataclass(frozen=True)
class Bounds:
    """What a number may be: at least, more than, at most, less than."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def broken(self, value: float) -> str | None:
        """What the value should be, in words; None if it is within the bounds."""
        wrong = {
            f"at least {self.least}": self.least is not None and value < self.least,
            f"more than {self.above}": self.above is not None and value <= self.above,
            f"at most {self.most}": self.most is not None and value > self.most,
            f"less than {self.below}": self.below is not None and value >= self.below,
        }
        return next((words for words, is_broken in wrong.items() if is_broken), None)


Natural = Annotated[int, Bounds(least=0)]
Count = Annotated[int, Bounds(least=1)]
Several = Annotated[int, Bounds(least=2)]
NotNegative = Annotated[float, Bounds(least=0)]
Positive = Annotated[float, Bounds(above=0)]
Share = Annotated[float, Bounds(least=0, most=1)]
PositiveShare = Annotated[float, Bounds(above=0, most=1)]
# A share of less than all.
ProperShare = Annotated[float, Bounds(least=0, below=1)]
MoreThanOne = Annotated[float, Bounds(above=1)]
# How often something is done or drawn before, or besides, what the data ask for.
Times = Annotated[int, Bounds(least=1, most=10_000)]
# What every generator of random numbers takes.
Seed = Annotated[int, Bounds(least=0, most=2**32 - 1)]


def read_spec(kind: type[T], mapping: Mapping[str, Any], where: str) -> T:
    """Build the dataclass ``kind`` from a mapping; keys left out keep their defaults.

    where: the mapping's place in the configuration, for messages. Nested dataclasses are read from nested mappings,
    lists become tuples, an integer is accepted as a float, and a Boolean as neither. Raises InputError naming an
    unknown key (with the closest known one), a missing key, or a value that has the wrong type, is not finite, is out
    of its bounds or is none of the known choices.
    """
    if not isinstance(mapping, Mapping):
        raise UsageError(f"{where}: expected a mapping, got {shown(mapping)}")
    hints = get_type_hints(kind, include_extras=True)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            place = f"{where}.{shown_key(key)}"
            raise UsageError(f"{place}: unknown key; {suggestion(key, fields, 'known keys')}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in mapping:
            raise UsageError(f"{where}.{name}: missing; it has no default")
    return kind(**{key: read_value(hints[key], value, f"{where}.{key}") for key, value in mapping.items()})


def read_value(hint: Any, value: Any, where: str) -> Any:
    """A value as ``read_spec`` reads it into a field of this type, such as ``tuple[Count, ...]``."""
    if dataclasses.is_dataclass(hint):
        return read_spec(hint, value, where)  # type: ignore[arg-type]
    parts = get_args(hint)
    if get_origin(hint) is Annotated:
        plain, bounds = parts
        read = read_value(plain, value, where)
        broken = bounds.broken(read)
        if broken:
            raise UsageError(f"{where}: expected {broken}, got {shown(value)}")
        return read
    if get_origin(hint) is Literal:
        fits = value in parts
    elif is_optional(hint):
        if value is None or _is(value, plain_type(parts[0])):
            return None if value is None else read_value(parts[0], value, where)
        fits = False
    elif get_origin(hint) is tuple:
        return _items(parts, value, where)
    elif get_origin(hint) is Mapping:
        return _entries(parts[1], value, where)
    elif hint is Any:
        return value
    else:
        fits = _is(value, hint)
    if not fits:
        raise UsageError(f"{where}: expected {_expected(hint)}, got {shown(value)}")
    return float(value) if hint is float else value


def _items(parts: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UsageError(f"{where}: expected a list, got {shown(value)}")
    if parts[-1] is Ellipsis:
        parts = parts[:1] * len(value)
    if len(value) != len(parts):
        raise UsageError(f"{where}: expected {len(parts)} values, got {shown(value)}")
    return tuple(read_value(part, item, where) for part, item in zip(parts, value, strict=True))


def _entries(part: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{where}: expected a mapping of names, got {shown(value)}")
    return {key: read_value(part, item, f"{where}.{shown_key(key)}") for key, item in value.items()}


def is_number(value: Any) -> bool:
    """Whether a value is a finite number that fits into a float; a Boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return is_number(value)
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def is_optional(hint: Any) -> bool:
    """Whether a type is a plain type or None; no other unions are used."""
    return get_origin(hint) in (Union, UnionType)


def plain_type(hint: Any) -> Any:
    """A type without its bounds."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _expected(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if is_optional(hint):
        return f"{_expected(plain_type(get_args(hint)[0]))} | None"
    if hint is float:
        return "a finite number"
    return hint.__name__ if isinstance(hint, type) else str(hint)
