"""A head set is data: which heads, by which method, found on what."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrank.data.atomic import write_json
from headrank.errors import InputError

SCHEMA = 1
Head = tuple[int, int]


@dataclass(frozen=True)
class HeadSet:
    """Heads of one backbone, best first.

    heads: (layer, query head), both from 0; query heads, not key/value heads, are counted. scores: the selection
    score of each chosen head. statistics: name -> value for every head of the model, layer by layer, which is what
    the head map draws. provenance: what the heads were found on.
    """

    method: str
    model: str
    n_layers: int
    n_heads: int
    heads: tuple[Head, ...]
    scores: tuple[float, ...]
    statistics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

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
        }

    def save(self, path: str | Path) -> None:
        write_json(path, self.described())

    @classmethod
    def load(cls, path: str | Path) -> HeadSet:
        """Read a head set; InputError names the file and what is wrong with it."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: no readable head set ({error})") from error
        return cls.read(data, str(path))

    @classmethod
    def read(cls, data: Any, where: str) -> HeadSet:
        """A head set from what ``described`` gives; ``where`` names its place in messages."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise InputError(f"{where}: not a head set of schema {SCHEMA}")
        try:
            heads = tuple((int(layer), int(head)) for layer, head in data["heads"])
            result = cls(
                data["method"],
                data["model"],
                int(data["n_layers"]),
                int(data["n_heads"]),
                heads,
                tuple(map(float, data["scores"])),
                {name: tuple(map(float, values)) for name, values in data["statistics"].items()},
                data["provenance"],
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: malformed head set ({error!r})") from error
        result.check(result.n_layers, result.n_heads, where)
        return result

    def check(self, n_layers: int, n_heads: int, where: str) -> None:
        """Refuse heads that the model does not have."""
        if not self.heads:
            raise InputError(f"{where}: the head set is empty")
        if len(self.scores) != len(self.heads):
            raise InputError(f"{where}: {len(self.heads)} heads but {len(self.scores)} scores")
        if not all(map(math.isfinite, self.scores)):
            raise InputError(f"{where}: the score of a head is not finite; choose the heads again")
        if len(set(self.heads)) != len(self.heads):
            raise InputError(f"{where}: the head set names a head twice")
        for layer, head in self.heads:
            if not (0 <= layer < n_layers and 0 <= head < n_heads):
                raise InputError(
                    f"{where}: head {layer}-{head} is outside the model ({n_layers} layers of {n_heads} heads)"
                )
