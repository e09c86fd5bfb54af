"""The order of the candidates in the prompt (R3)."""

from __future__ import annotations

import zlib

import numpy as np

from headrank.errors import UsageError


def prompt_order(qid: str, count: int, order: str) -> list[int]:
    """Which candidate (by first-stage rank from 0) is at each prompt position.

    ``shuffled`` is a permutation that depends on the query id alone.
    """
    if order == "best-first":
        return list(range(count))
    if order == "best-last":
        return list(range(count))[::-1]
    if order == "shuffled":
        found: list[int] = np.random.default_rng(zlib.crc32(qid.encode())).permutation(count).tolist()
        return found
    raise UsageError(f"candidates.order: unknown order {order!r}; known: best-first, best-last, shuffled")
