"""Sizes of the published backbones, for what has to be known before any weights are available."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headrank.cost.gguf_sizes import gguf_shape
from headrank.cost.multiply_adds import Shape
from headrank.engine.gguf.find import given_gguf, is_gguf
from headrank.errors import UsageError

# From the published configurations; "quick" is small enough to be measured on a machine without GPU.
SHAPES: Mapping[str, Shape] = {
    "qwen3-0.6b": Shape(28, 1024, 3072, 16, 8, 128, 151936),
    "qwen3-1.7b": Shape(28, 2048, 6144, 16, 8, 128, 151936),
    "qwen3-4b": Shape(36, 2560, 9728, 32, 8, 128, 151936),
    "quick": Shape(10, 512, 1536, 8, 4, 64, 8192),
}
_QWEN3 = re.compile(r"qwen3-(?:reranker-|embedding-)?(\d+(?:\.\d+)?b)(?:-base)?")


def known_shape(name: str) -> Shape:
    """The sizes of one of ``SHAPES``, or of the model in a GGUF file; InputError for anything else."""
    if name in SHAPES:
        return SHAPES[name]
    if is_gguf(name):
        return gguf_shape(given_gguf(name))
    raise UsageError(f"shape {name!r} is unknown; known: {', '.join(SHAPES)}, and GGUF files")


def published_shape(identifier: str) -> Shape | None:
    """The sizes of a model of the hub by its name, such as "Qwen/Qwen3-Reranker-4B"; None for one not in ``SHAPES``."""
    found = _QWEN3.fullmatch(identifier.rsplit("/", 1)[-1].lower())
    return SHAPES.get(f"qwen3-{found[1]}") if found else None
