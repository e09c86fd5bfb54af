"""Which GPU a process computes on: if there are several, one that no other process of this library has taken."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

# GPU -> descriptor of its locked file; open until the process ends, when the system releases the lock.
_taken: dict[str, int] = {}


def choose_device() -> str:
    """The device that "auto" stands for: a GPU (``take_gpu``) if there is one, or else the CPU.

    Only GPUs that ``CUDA_VISIBLE_DEVICES`` shows are considered.
    """
    if not torch.cuda.is_available():
        return "cpu"
    numbers = range(torch.cuda.device_count())
    return f"cuda:{take_gpu([str(torch.cuda.get_device_properties(n).uuid) for n in numbers])}"


def take_gpu(names: Sequence[str], directory: str | Path | None = None) -> int:
    """Take one of the GPUs for the rest of this process's life, and return its position among ``names``.

    names: identify the machine's GPUs, for example their UUIDs; directory: where the lock files are, the same for all
    processes that must not take each other's GPU (default: the system's temporary directory). A process keeps the GPU
    that it has, and one that ends, killed or not, frees its GPU. When all are taken, the first is shared: then there
    are more jobs than GPUs, and whoever started them must know that.
    """
    for position, name in enumerate(names):
        if name in _taken:
            return position
    for position, name in enumerate(names):
        descriptor = _lock(Path(directory or tempfile.gettempdir()) / f"headrank-gpu-{name}.lock")
        if descriptor is not None:
            _taken[name] = descriptor
            return position
    return 0


def _lock(path: Path) -> int | None:
    """A descriptor that holds the only lock on a file, None if another process has it."""
    # fcntl does not exist on every system, and is not needed where there is no choice of GPUs.
    import fcntl

    # The file may be another user's, in a directory where only its owner may open it for creation.
    flags = os.O_RDONLY if path.exists() else os.O_RDONLY | os.O_CREAT
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
