"""Arrays in NumPy's own files, mapped into memory for reading."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrank.data.files import check_regular


def mapped(path: str | os.PathLike[str], kind: str, dimensions: int) -> NDArray[Any]:
    """The array of a ``.npy`` file, of so many dimensions. kind: of its type, as ``numpy.dtype.kind`` has it.

    Raises ValueError, or what ``numpy.load`` raises, for any other file; pickled objects are not loaded.
    """
    check_regular(path)
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(found, np.ndarray) or found.dtype.kind != kind or found.ndim != dimensions:
        raise ValueError(f"{Path(path).name} holds something else")
    return found
