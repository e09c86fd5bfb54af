"""A reranking method on the shared engine: a head set, a kernel, a name."""

from __future__ import annotations

from dataclasses import dataclass

from headrank.heads import Head
from headrank.scoring import Kernel


@dataclass(frozen=True)
class Method:
    """An attention method: which heads it reads (best first) and how it turns their mass into scores."""

    name: str
    heads: tuple[Head, ...]
    kernel: Kernel
