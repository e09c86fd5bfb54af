"""Short passages for tests inside other libraries."""

from __future__ import annotations

from support import passages


def texts(count: int, seed: int = 0) -> list[str]:
    """``count`` passages, no two of which are equal, nor part of each other."""
    return [f"{document.text} <{seed}.{i}>" for i, document in enumerate(passages(count, seed=seed))]
