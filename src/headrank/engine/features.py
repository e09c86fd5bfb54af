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
from headrank.data.files import check_regular
from headrank.data.json_files import parse_json
from headrank.engine.identity import Identity
from headrank.engine.list_scores import list_shares, over_length
from headrank.errors import InputError, one_line, shown, unreadable
from headrank.settings import MassSettings
from headrank.specs import Count, read_value

Array = NDArray[np.float64]
# Model, layers, heads of a layer, lists.
_HEADER = tuple[str, Count, Count, tuple[str, ...]]


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
        return over_length(
            self._of_list(name, row, documents), self._of_list("lengths", row, documents), length_alpha
        )

    def of_heads(self, name: str, row: int) -> Array:
        """(heads,) float64: a value of one list for each head, such as the token entropy."""
        return self._of_list(name, row)

    def _of_list(self, name: str, row: int, documents: int | None = None) -> Array:
        """The finite numbers of one list, of its documents if their number is given."""
        if name not in self.values:
            raise InputError(f"features of {self.model}: no masses {name!r}; make them again")
        found: Array = self.values[name][row][..., :documents].astype(np.float64)
        if (documents is not None and found.shape[-1] != documents) or not np.isfinite(found).all():
            of = "" if documents is None else f" of its {documents} documents"
            raise InputError(
                f"features of {self.model}: list {self.ids[row]!r}: {name!r} does not hold a finite number for"
                f" each{of}; make them again"
            )
        return found

    def shares(self, row: int, documents: int, settings: MassSettings) -> Array:
        """(heads, documents) float64: R4's shares of one list, calibrated where the settings say so."""
        values = self.masses("headrank", row, documents, settings.length_alpha)
        null = None
        if settings.calibration == "ratio":
            null = self.masses("null", row, documents, settings.length_alpha)
        with np.errstate(invalid="ignore"):
            found = list_shares(values, settings.epsilon, null)
        if not np.isfinite(found).all():
            raise InputError(
                f"features of {self.model}: list {self.ids[row]!r}: shares of the list are not finite; check the"
                " settings of headrank.mass"
            )
        return found

    def save(self, path: str | Path) -> None:
        from safetensors.numpy import save_file

        self.check(str(path))
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
            check_regular(path)
            with safe_open(path, framework="numpy") as stored:
                header = parse_json(stored.metadata()["headrank"])
                # Files of earlier versions have no fingerprint.
                model, n_layers, n_heads, ids = read_value(_HEADER, header[:4], "header")
                fingerprint = read_value(str, header[4], "fingerprint") if header[4:] else None
                values = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            found = cls(model, n_layers, n_heads, ids, values, fingerprint)
        except Exception as error:
            raise unreadable(error)(f"{path}: no readable features ({one_line(error)})") from error
        found.check(str(path))
        return found

    def check(self, where: str) -> None:
        """Raises InputError, naming ``where``, unless every list has values of every head, and all numbers but the
        padding of short lists are finite.
        """
        self._check_shapes(where)
        self._check_finite(where)

    def _check_finite(self, where: str) -> None:
        lengths = self.values.get("lengths")
        for name, array in self.values.items():
            finite = np.isfinite(array)
            if name == "lengths":
                # Where a length is missing the masses must be too, which is looked at with them.
                finite |= np.isnan(array)
            elif lengths is not None and array.ndim == 3:
                # Padding has no length (or none above 0) and no mass of any head.
                padding = np.isnan(array).all(axis=1, keepdims=True) & ~(lengths > 0)[:, None, :]
                finite = (finite | padding) & ~(finite & np.isnan(lengths)[:, None, :])
            if not finite.all():
                of = self.ids[int(np.argwhere(~finite)[0][0])]
                raise InputError(
                    f"{where}: list {of!r}: {name!r} has a number that is NaN or infinite, or a length that contradicts"
                    " the others; make the features again"
                )

    def _check_shapes(self, where: str) -> None:
        lists, every = len(self.ids), self.n_layers * self.n_heads
        lengths = self.values.get("lengths")
        for name, array in self.values.items():
            heads = {"icr_layers": self.n_layers}.get(name, every)
            dimensions = (2,) if name == "lengths" else (2, 3)
            wrong = array.dtype.kind != "f" or array.ndim not in dimensions or len(array) != lists
            # Without lists there are no heads and documents either.
            if not wrong and lists and array.ndim == 3:
                others = lengths is not None and array.shape[2:] != lengths.shape[1:]
                wrong = array.shape[1] != heads or others
            if wrong:
                raise InputError(
                    f"{where}: {shown(name)} is {array.dtype} of shape {array.shape}, which does not fit {lists} lists"
                    f" and {self.n_layers} layers of {self.n_heads} heads; make the features again"
                )


def stack_lists(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Stack (heads, documents) arrays of unequal length into (lists, heads, documents), padded with NaN."""
    longest = max((part.shape[1] for part in parts), default=0)
    heads = parts[0].shape[0] if parts else 0
    out = np.full((len(parts), heads, longest), np.nan, dtype=np.float32)
    for row, part in zip(out, parts, strict=True):
        row[:, : part.shape[1]] = part
    return out
