"""What differs between two provenance records: possible causes first, then, apart from them, machine and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One value that differs; ``ABSENT`` stands for one that a side does not have."""

    key: str
    one: Any
    other: Any


@dataclass(frozen=True)
class Origins:
    """Differences by kind; ``machine`` and ``time`` should not explain any difference in results."""

    code: tuple[Difference, ...]
    configuration: tuple[Difference, ...]
    models: tuple[Difference, ...]
    collections: tuple[Difference, ...]
    software: tuple[Difference, ...]
    machine: tuple[Difference, ...]
    time: tuple[Difference, ...]


def compare_origins(one: Mapping[str, Any], other: Mapping[str, Any]) -> Origins:
    """Compare two records as ``provenance.record`` gives them."""

    def differing(*places: str) -> tuple[Difference, ...]:
        parts = []
        for record in (one, other):
            part: Any = record
            for place in places:
                part = part.get(place, {})
            parts.append(part)
        return tuple(differences(*parts))

    return Origins(
        differing("code"),
        differing("configuration", "values"),
        # A model's own digest stands for those of its files.
        tuple(d for d in differing("models") if ".files." not in d.key),
        differing("collections"),
        differing("software"),
        differing("machine"),
        tuple(d for d in differing("time") if d.key == "job_seconds"),
    )


def differences(one: Any, other: Any, place: str = "") -> Iterator[Difference]:
    """Values that differ, under keys joined by dots; a list is one value, and so is a mapping that one side lacks."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in [*one, *(key for key in other if key not in one)]:
            inner = f"{place}.{key}" if place else str(key)
            yield from differences(one.get(key, ABSENT), other.get(key, ABSENT), inner)
    elif one != other or isinstance(one, bool) != isinstance(other, bool):
        yield Difference(place, one, other)
