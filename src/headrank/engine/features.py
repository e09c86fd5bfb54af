"""Per-head document masses stored by a forward pass, so that no ablation needs another pass."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headrank.data.atomic import whole_file
from headrank.engine.identity import Identity
from headrank.engine.list_scores import list_shares, over_length
from headrank.errors import InputError
from headrank.settings import MassSettings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Per-head values of a number of lists.

    ids: the lists (training lists by number, test lists by query id), as strings. values: name -> (lists, heads,
    documents) float32, (lists, heads), (lists, documents) or (lists, hidden). Heads are ordered layer by layer,
    documents by prompt position, and lists shorter than the longest are padded with NaN. fingerprint: of the model
    (``headrank.engine.fingerprint``); None in files of earlier versions.
    """

    model: str
    n_layers: int
    n_heads: int
    ids: tuple[str, ...]
    values: Mapping[str, NDArray[np.float32]]
    fingerprint: str | None = None

    @property
    def identity(self) -> Identity:
        """The model whose heads these are."""
        return Identity(self.model, self.n_layers, self.n_heads, self.fingerprint)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.ids)}

    def rows(self, ids: Sequence[str]) -> NDArray[np.intp]:
        """The row numbers of the given lists."""
        place = self._place
        absent = [name for name in ids if name not in place]
        if absent:
            raise InputError(
                f"features of {self.model}: {len(absent)} lists are missing, such as {absent[0]!r}"
            )
        return np.array([place[name] for name in ids], dtype=np.intp)

    def masses(self, name: str, row: int, documents: int, length_alpha: float = 0.0) -> Array:
        """(heads, documents) float64 of one list, divided by the documents' token counts to a power (R4)."""
        if name not in self.values:
            raise InputError(f"features of {self.model}: no masses {name!r}; make them again")
        masses = self.values[name][row][:, :documents].astype(np.float64)
        return over_length(masses, self.values["lengths"][row][:documents], length_alpha)

    def shares(self, row: int, documents: int, settings: MassSettings) -> Array:
        """(heads, documents) float64: R4's shares of one list, calibrated where the settings say so."""
        values = self.masses("headrank", row, documents, settings.length_alpha)
        null = None
        if settings.calibration == "ratio":
            null = self.masses("null", row, documents, settings.length_alpha)
        return list_shares(values, settings.epsilon, null)

    def save(self, path: str | Path) -> None:
        from safetensors.numpy import save_file

        # One key: safetensors writes several in an order that changes from process to process.
        told = [self.model, self.n_layers, self.n_heads, self.ids]
        header = {"headrank": json.dumps(told + ([self.fingerprint] if self.fingerprint else []))}
        with whole_file(path) as temporary:
            # safetensors writes an array's memory as it lies, whatever its strides.
            values = {name: np.ascontiguousarray(array) for name, array in self.values.items()}
            save_file(values, temporary, metadata=header)

    @classmethod
    def load(cls, path: str | Path) -> Features:
        from safetensors import safe_open

        try:
            with safe_open(path, framework="numpy") as stored:
                model, n_layers, n_heads, ids, *known = json.loads(stored.metadata()["headrank"])
                values = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            return cls(model, n_layers, n_heads, tuple(ids), values, *known)
        except Exception as error:
            raise InputError(f"{path}: no readable features ({str(error).splitlines()[0]})") from error


def stack_lists(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Stack (heads, documents) arrays of unequal length into (lists, heads, documents), padded with NaN."""
    longest = max((part.shape[1] for part in parts), default=0)
    heads = parts[0].shape[0] if parts else 0
    out = np.full((len(parts), heads, longest), np.nan, dtype=np.float32)
    for row, part in zip(out, parts, strict=True):
        row[:, : part.shape[1]] = part
    return out
