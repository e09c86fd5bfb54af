"""Loading a large package without garbage collection, which finds nothing meanwhile and takes a sixth of the time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(for_good: bool = False) -> Iterator[None]:
    """No garbage collection within the block; afterwards as before.

    for_good: what is there by then is never looked through, else the first collection afterwards takes what was saved.
    For processes of one's own, as it is for everything in them.
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
