"""Where the windows of a listwise method lie over a list."""

from __future__ import annotations

from headrank.errors import UsageError


def windows(count: int, size: int, stride: int) -> list[tuple[int, int]]:
    """(start, stop) of each window over ``count`` candidates, from the back of the list to its front."""
    if not 1 <= stride <= size:
        raise UsageError(f"generative.stride: {stride} is not within 1..{size}, the window")
    stop, found = count, []
    while True:
        start = max(0, stop - size)
        found.append((start, stop))
        if start == 0:
            return found
        stop -= stride
