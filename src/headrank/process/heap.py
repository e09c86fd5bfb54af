"""Freed memory stays with the process where it is soon needed again, and otherwise goes back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# Names of glibc's malloc.h, and the largest value that it takes: a C int.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc's heap keep freed memory, up to 2 GiB; returns whether it took effect (without glibc nothing changes).

    A pass allocates the same temporaries in every layer. By default glibc returns large ones to the system at once,
    which then maps and zeroes the pages again each time: up to a fifth of a pass on a CPU (docs/performance.md). The
    setting holds for the whole process, so programs call this and the library does not.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  other C libraries have no such function
        return bool(libc.mallopt(_M_MMAP_THRESHOLD, _MOST) and libc.mallopt(_M_TRIM_THRESHOLD, _MOST))
    return False


class _Blocks(ctypes.Structure):
    """glibc's ``struct mallinfo2``; ``fordblks`` are the bytes of the heap that are free."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def give_back(above: int) -> bool:
    """Give the heap's free pages back to the system if they exceed ``above`` bytes; returns whether it did.

    Lists of many lengths leave holes that no later tensor fits into: over a training run's steps, a heap that keeps
    everything grew from 5 to 11 GB (Qwen2.5-Coder 0.5B, lists of 40 passages).
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallinfo2.restype = _Blocks
        if libc.mallinfo2().fordblks > above:
            return bool(libc.malloc_trim(0))
    return False
