"""Plain mappings, as YAML gives them, read into frozen dataclasses: every key is known, every value of its type."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from headrank.errors import InputError, suggestion

T = TypeVar("T")


def read_spec(kind: type[T], mapping: Mapping[str, Any], where: str) -> T:
    """Build the dataclass ``kind`` from a mapping; keys left out keep their defaults.

    where: the mapping's place in the configuration, for messages. Nested dataclasses are read from nested mappings,
    lists become tuples, an integer may stand for a float and a truth value for neither. Raises InputError naming an
    unknown key (with the closest known one), a missing key or a value of another type or none of the known choices.
    """
    if not isinstance(mapping, Mapping):
        raise InputError(f"{where}: expected a mapping, got {mapping!r}")
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise InputError(f"{where}.{key}: unknown key; {suggestion(key, fields, 'known keys')}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in mapping:
            raise InputError(f"{where}.{name}: missing; it has no default")
    return kind(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in mapping.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return read_spec(hint, value, where)  # type: ignore[arg-type]
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        fits = value in parts
    elif get_origin(hint) is UnionType:
        # The optional values there are stand for one plain type or nothing.
        fits = value is None or _is(value, parts[0])
    elif get_origin(hint) is tuple:
        return _items(parts, value, where)
    else:
        fits = _is(value, hint)
    if not fits:
        raise InputError(f"{where}: expected {_expected(hint)}, got {value!r}")
    return float(value) if hint is float else value


def _items(parts: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InputError(f"{where}: expected a list, got {value!r}")
    if parts[-1] is Ellipsis:
        parts = parts[:1] * len(value)
    if len(value) != len(parts):
        raise InputError(f"{where}: expected {len(parts)} values, got {value!r}")
    return tuple(_value(part, item, where) for part, item in zip(parts, value, strict=True))


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _expected(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    return hint.__name__ if isinstance(hint, type) else str(hint)
