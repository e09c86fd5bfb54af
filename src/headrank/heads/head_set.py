"""A head set is data: which heads, by which method, found on what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from headrank.data.atomic import write_json
from headrank.data.json_files import read_json
from headrank.engine.identity import Identity
from headrank.errors import InputError
from headrank.specs import Count, Natural, read_spec

SCHEMA = 1
Head = tuple[int, int]


@dataclass(frozen=True)
class _Stored:
    """The keys of a file. A statistic that a head does not have is null: JSON has no NaN."""

    schema: Literal[1]
    method: str
    model: str
    n_layers: Count
    n_heads: Count
    heads: tuple[tuple[Natural, Natural], ...]
    scores: tuple[float, ...]
    index: Literal["query_head"] = "query_head"
    statistics: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None


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
            "statistics": {
                name: [None if math.isnan(value) else value for value in values]
                for name, values in self.statistics.items()
            },
            "provenance": dict(self.provenance),
            **({"fingerprint": self.fingerprint} if self.fingerprint else {}),
        }

    def save(self, path: str | Path) -> None:
        write_json(path, self.described())

    @classmethod
    def load(cls, path: str | Path) -> HeadSet:
        """Read a head set; InputError names the file and what is wrong with it."""
        # Head sets of earlier versions have NaN for a statistic that a head does not have.
        return cls.read(read_json(path, "head set", nan=True), str(path))

    @classmethod
    def read(cls, data: Any, where: str) -> HeadSet:
        """A head set from what ``described`` gives; ``where`` names its place in messages."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise InputError(f"{where}: not a head set of schema {SCHEMA}")
        try:
            stored = read_spec(_Stored, data, "head set")
        except InputError as error:
            raise InputError(f"{where}: malformed {error}") from None
        result = cls(
            stored.method,
            stored.model,
            stored.n_layers,
            stored.n_heads,
            stored.heads,
            stored.scores,
            {
                name: tuple(math.nan if value is None else value for value in values)
                for name, values in stored.statistics.items()
            },
            stored.provenance,
            stored.fingerprint,
        )
        result.check(result.n_layers, result.n_heads, where)
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
        if not all(map(math.isfinite, self.scores)):
            raise InputError(f"{where}: the score of a head is not finite; choose the heads again")
        every = self.n_layers * self.n_heads
        for name, values in self.statistics.items():
            if len(values) != every:
                raise InputError(f"{where}: statistic {name!r} has {len(values)} values for {every} heads")
        if len(set(self.heads)) != len(self.heads):
            raise InputError(f"{where}: the head set names a head twice")
        for layer, head in self.heads:
            if not (0 <= layer < n_layers and 0 <= head < n_heads):
                raise InputError(
                    f"{where}: head {layer}-{head} is outside the model ({n_layers} layers of {n_heads} heads)"
                )
