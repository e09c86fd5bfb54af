"""The sizes of a model in a GGUF file, from its header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrank.cost.multiply_adds import Shape
from headrank.engine.gguf.header import TOKENS, Header, read_header
from headrank.errors import InputError, shown

# Above any model's.
_MOST = 1 << 24


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
        kv_heads=_stated(header, "attention.head_count_kv", heads),
        head_dim=_stated(header, "attention.key_length", hidden // heads),
        vocabulary=_stated(header, "vocab_size", header.metadata.get(TOKENS, 0), 0),
    )


def _stated(header: Header, key: str, default: Any = None, least: int = 1) -> int:
    """The size under a key of the architecture; where layers differ it is a list, and the largest counts."""
    value = header.own(key, default)
    if value is None:
        raise InputError(f"{header.path}: does not state {header.architecture}.{key}")
    # Of a list of texts only its length is known.
    texts = f"{header.architecture}.{key}" in header.arrays and not isinstance(value, tuple)
    sizes = value if isinstance(value, tuple) and value else (value,)
    if texts or not all(type(size) is int and 0 <= size < _MOST for size in sizes) or max(sizes) < least:
        raise InputError(
            f"{header.path}: {header.architecture}.{key} is {shown(value)}, not a size up to {_MOST}"
        )
    return int(max(sizes))
