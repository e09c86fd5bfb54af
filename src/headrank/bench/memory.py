"""Peak memory of one call, beyond what was held before it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

_RESET_PEAK = "5"  # man 5 proc, /proc/pid/clear_refs


def peak_memory(call: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """(what the call returns, its peak memory in bytes beyond what was held before).

    On a GPU what PyTorch allocated; on a CPU the process's resident set, NaN where the system cannot reset its peak
    (Linux can).
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = call()
        torch.cuda.synchronize(device)
        return result, torch.cuda.max_memory_allocated(device) - before
    _release()
    if not _reset():
        return call(), float("nan")
    held = _status("VmRSS")
    result = call()
    return result, _status("VmHWM") - held


def _release() -> None:
    """Hand freed memory back to the system: what an earlier call left in the heap must not hide what this one takes."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _reset() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return float(line.split()[1]) * 1024
    return float("nan")
