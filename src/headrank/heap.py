"""Memory that a process frees and soon needs again stays with it, where the system would take it back."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# glibc's names (malloc.h), and the most that it takes: a C int.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Lets glibc's heap keep what is freed, up to 2 GiB; whether that took effect (elsewhere nothing changes).

    A pass allocates the same temporaries in every layer. By default glibc hands large ones back to the system at once,
    which maps and zeroes the pages anew each time: up to a fifth of a pass on a processor (docs/performance.md). It
    holds for the whole process, so that programs call it and the library does not.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  other C libraries have no such function
        return bool(libc.mallopt(_M_MMAP_THRESHOLD, _MOST) and libc.mallopt(_M_TRIM_THRESHOLD, _MOST))
    return False
