"""The sizes of a model in a GGUF file, from its header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrank.cost.multiply_adds import Shape
from headrank.engine.gguf.header import Header, read_header, vocabulary
from headrank.errors import InputError


def gguf_shape(path: str | Path) -> Shape:
    """The sizes of the model in a file; InputError if it is not a GGUF file or does not state them."""
    header = read_header(path)
    heads = _stated(header, "attention.head_count")
    hidden = _stated(header, "embedding_length")
    return Shape(
        layers=_stated(header, "block_count"),
        hidden=hidden,
        intermediate=_stated(header, "feed_forward_length"),
        heads=heads,
        kv_heads=_largest(header.own("attention.head_count_kv", heads)),
        head_dim=header.own("attention.key_length", hidden // heads),
        vocabulary=vocabulary(header),
    )


def _stated(header: Header, key: str) -> int:
    value = header.own(key)
    if value is None:
        raise InputError(f"{header.path}: does not state {header.architecture}.{key}")
    return _largest(value)


def _largest(value: Any) -> int:
    """Sizes that differ from layer to layer are lists in the header; the largest counts."""
    return int(max(value) if isinstance(value, tuple) else value)
