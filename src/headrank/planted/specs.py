"""Specs of the mini world: plain mappings (from YAML) read into frozen dataclasses, checked key by key."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from headrank.errors import InputError

T = TypeVar("T")


def read_spec(kind: type[T], mapping: Mapping[str, Any], where: str) -> T:
    """Build the dataclass ``kind`` from a mapping; keys left out keep their defaults.

    where: the key's path in the configuration, for messages. Nested dataclasses are read from nested mappings,
    lists become tuples. Raises InputError naming an unknown key (with the closest known one), a missing key or a
    value of the wrong type.
    """
    if not isinstance(mapping, Mapping):
        raise InputError(f"{where}: expected a mapping, got {mapping!r}")
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(fields))}"
            raise InputError(f"{where}.{key}: unknown key; {hint}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in mapping:
            raise InputError(f"{where}.{name}: missing; it has no default")
    return kind(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in mapping.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return read_spec(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is types.UnionType:
        return None if value is None else _value(get_args(hint)[0], value, where)
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where}: expected a list, got {value!r}")
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_value(inner[0], item, where) for item in value)
        if len(value) != len(inner):
            raise InputError(f"{where}: expected {len(inner)} values, got {value!r}")
        return tuple(_value(h, item, where) for h, item in zip(inner, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value
