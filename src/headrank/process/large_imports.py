"""Loads large packages without garbage collection, which would find nothing and take a sixth of the time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(for_good: bool = False) -> Iterator[None]:
    """No garbage collection within the block; afterwards as before.

    for_good: what exists by then is never scanned; otherwise the first collection afterwards takes the time that was
    saved. Use it only in a program's own process, because it applies to everything in the process.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if for_good:
            gc.freeze()
        if before:
            gc.enable()
