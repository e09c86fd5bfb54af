"""A head set is data: which heads, by which method, found on what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrank.data.atomic import write_json
from headrank.data.json_file import read_json
from headrank.engine.identity import Identity
from headrank.errors import InputError

SCHEMA = 1
# More layers, or heads in a layer, than any model has: such numbers are damage.
_MOST = 1 << 20
Head = tuple[int, int]


@dataclass(frozen=True)
class HeadSet:
    """Heads of one backbone, best first.

    heads: (layer, query head), both from 0; query heads, not key/value heads, are counted. scores: the selection
    score of each chosen head. statistics: name -> value for every head of the model, layer by layer, which is what
    the head map draws. provenance: what the heads were found on. fingerprint: of the backbone
    (``headrank.engine.fingerprint``); None in files of earlier versions.
    """

    method: str
    model: str
    n_layers: int
    n_heads: int
    heads: tuple[Head, ...]
    scores: tuple[float, ...]
    statistics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None

    @property
    def identity(self) -> Identity:
        """The model whose heads these are."""
        return Identity(self.model, self.n_layers, self.n_heads, self.fingerprint)

    @property
    def deepest(self) -> int:
        """The deepest layer that holds a chosen head; inference stops inside it."""
        return max(layer for layer, _ in self.heads)

    @property
    def depth(self) -> int:
        """How many layers inference needs."""
        return self.deepest + 1

    def described(self) -> dict[str, Any]:
        """The head set as plain data."""
        return {
            "schema": SCHEMA,
            "method": self.method,
            "model": self.model,
            "n_layers": self.n_layers,
            "n_heads": self.n_heads,
            "index": "query_head",
            "heads": [list(head) for head in self.heads],
            "scores": list(self.scores),
            "statistics": {name: list(values) for name, values in self.statistics.items()},
            "provenance": dict(self.provenance),
            **({"fingerprint": self.fingerprint} if self.fingerprint else {}),
        }

    def save(self, path: str | Path) -> None:
        write_json(path, self.described())

    @classmethod
    def load(cls, path: str | Path) -> HeadSet:
        """Read a head set; InputError names the file and what is wrong with it."""
        return cls.read(read_json(path, "no readable head set"), str(path))

    @classmethod
    def read(cls, data: Any, where: str) -> HeadSet:
        """A head set from what ``described`` gives; ``where`` names its place in messages."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise InputError(f"{where}: not a head set of schema {SCHEMA}")
        try:
            result = cls(
                _text(data["method"]),
                _text(data["model"]),
                _whole(data["n_layers"]),
                _whole(data["n_heads"]),
                tuple((_whole(layer), _whole(head)) for layer, head in data["heads"]),
                tuple(map(_number, data["scores"])),
                {name: tuple(map(_number, values)) for name, values in data["statistics"].items()},
                dict(data["provenance"]),
                None if data.get("fingerprint") is None else _text(data["fingerprint"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{where}: malformed head set ({error!r})") from error
        result.check(result.n_layers, result.n_heads, where)
        if not all(map(math.isfinite, result.scores)):
            raise InputError(
                f"{where}: the head set has a score that is no finite number; detect the heads again"
            )
        total = result.n_layers * result.n_heads
        for name, values in result.statistics.items():
            if len(values) != total:
                raise InputError(f"{where}: {len(values)} values of {name!r} for {total} heads")
        return result

    def fits(self, model: Identity, where: str) -> None:
        """Refuse to use the heads on another model than the one that they were found on.

        where: the set's file or name, for messages.
        """
        self.identity.check(model, where, "found on", "detect heads on the model itself")

    def check(self, n_layers: int, n_heads: int, where: str) -> None:
        """Refuse heads that the model does not have."""
        if not self.heads:
            raise InputError(f"{where}: the head set is empty")
        if len(self.scores) != len(self.heads):
            raise InputError(f"{where}: {len(self.heads)} heads but {len(self.scores)} scores")
        if len(set(self.heads)) != len(self.heads):
            raise InputError(f"{where}: the head set names a head twice")
        for layer, head in self.heads:
            if not (0 <= layer < n_layers and 0 <= head < n_heads):
                raise InputError(
                    f"{where}: head {layer}-{head} is outside the model ({n_layers} layers of {n_heads} heads)"
                )


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) > _MOST:
        raise TypeError(f"{str(value)[:40]} is no layer, head or count")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{str(value)[:40]} is no number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]} is no text")
    return value
