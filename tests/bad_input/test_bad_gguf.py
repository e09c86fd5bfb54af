"""GGUF files: headers that are cut, damaged, or claim what is not there; through ``headrank cost``."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_files import (
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    USAGE,
    Bad,
    cases,
    cut,
    damaged,
    read_or_refused,
    refused_by_command,
    spoilt,
)
from hypothesis import given

from headrank.cost.gguf_sizes import gguf_shape
from headrank.engine.gguf.header import read_header

UINT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 6, 7, 8, 9, 10
FORMS = {UINT32: "I", FLOAT32: "f", BOOL: "?", UINT64: "Q"}
KEYS: dict[str, tuple[int, Any]] = {
    "general.architecture": (STRING, "qwen2"),
    "qwen2.block_count": (UINT32, 2),
    "qwen2.embedding_length": (UINT32, 64),
    "qwen2.feed_forward_length": (UINT32, 96),
    "qwen2.attention.head_count": (UINT32, 4),
    "qwen2.attention.head_count_kv": (UINT32, 2),
    "qwen2.vocab_size": (UINT32, 100),
}


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value_of(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return text(value)
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(value_of(inner, item) for item in items)
    return struct.pack(f"<{FORMS[kind]}", value)


def gguf(keys: dict[str, tuple[int, Any]] | None = None, version: int = 3, tensors: int = 0, count: int | None = None,
         tail: bytes = b"") -> bytes:  # fmt: skip
    """A file of these keys; tensors, count: how many tensors and keys it claims to have."""
    found = KEYS if keys is None else keys
    body = b"".join(
        text(key) + struct.pack("<I", kind) + value_of(kind, value) for key, (kind, value) in found.items()
    )
    return (
        b"GGUF" + struct.pack("<IQQ", version, tensors, len(found) if count is None else count) + body + tail
    )


def other(key: str, kind: int, value: Any) -> bytes:
    return gguf({**KEYS, key: (kind, value)})


def without(key: str) -> bytes:
    return gguf({name: value for name, value in KEYS.items() if name != key})


def tensor(dimensions: int, *sizes: int) -> bytes:
    return text("w") + struct.pack(f"<I{len(sizes)}Q", dimensions, *sizes) + struct.pack("<IQ", 0, 0)


HUGE = 2**62
DAMAGED = "cut off or damaged; its header cannot be read to the end"


@cases(
    Bad("empty", b"", "not a GGUF file"),
    Bad("a text", b"these are no weights", "not a GGUF file"),
    Bad("another magic", b"GGML" + gguf()[4:], "not a GGUF file"),
    Bad("the magic alone", b"GGUF", DAMAGED),
    Bad("the magic backwards", b"FUGG" + gguf()[4:], "not a GGUF file"),
    Bad("version 1", gguf(version=1), "GGUF of version 1; versions 2 and 3 are read"),
    Bad("version 99", gguf(version=99), "GGUF of version 99"),
    Bad("big-endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 7) + gguf()[24:], "GGUF of version 50331648"),
    Bad("cut in its counts", gguf()[:20], DAMAGED),
    Bad("cut in a key", cut(0.3), DAMAGED),
    Bad("cut in the last value", gguf()[:-2], DAMAGED),
    Bad("one key more than there are", gguf(count=8), DAMAGED),
    Bad("endlessly many keys", gguf(count=HUGE), DAMAGED),
    Bad("endlessly many tensors", gguf(tensors=HUGE), DAMAGED),
    Bad("a tensor that is not there", gguf(tensors=1), DAMAGED),
    Bad("a tensor of endless dimensions", gguf(tensors=1, tail=text("w") + struct.pack("<I", 2**32 - 1)), DAMAGED),
    Bad("a tensor cut", gguf(tensors=1, tail=tensor(2, 4, 4)[:-3]), DAMAGED),
    Bad("a key of endless length", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, HUGE) + b"x" * 40, DAMAGED),
    Bad("a key that is no text", gguf({**KEYS, "x": (UINT32, 1)}).replace(text("x"), text(b"\xff")), DAMAGED),
    Bad("a key twice", gguf(count=8, tail=text("qwen2.vocab_size") + struct.pack("<II", 4, 5)), "'qwen2.vocab_size' is given twice"),
    Bad("a text of endless length", gguf(count=8, tail=text("x") + struct.pack("<IQ", STRING, HUGE)), DAMAGED),
    Bad("a list of endless length", gguf(count=8, tail=text("x") + struct.pack("<IIQ", ARRAY, UINT32, HUGE)), DAMAGED),
    Bad("endlessly many texts", gguf(count=8, tail=text("x") + struct.pack("<IIQ", ARRAY, STRING, HUGE)), DAMAGED),
    Bad("a list of lists", gguf(count=8, tail=text("x") + struct.pack("<IIQ", ARRAY, ARRAY, 2)), DAMAGED),
    Bad("an unknown type", gguf(count=8, tail=text("x") + struct.pack("<I", 77)), DAMAGED),
    Bad("no architecture", without("general.architecture"), "does not say what kind of model it holds"),
    Bad("a number for the architecture", other("general.architecture", UINT32, 3), "does not say what kind of model"),
    Bad("one part of three", other("split.count", UINT32, 3), "one of 3 parts of a model"),
    Bad("parts in words", other("split.count", STRING, "3"), "one of '3' parts of a model"),
    Bad("an alignment of 0", other("general.alignment", UINT32, 0), DAMAGED),
    Bad("an alignment in words", other("general.alignment", STRING, "32"), DAMAGED),
    Bad("a fraction for the alignment", other("general.alignment", FLOAT32, 0.5), DAMAGED),
    Bad("no layers stated", without("qwen2.block_count"), "does not state qwen2.block_count"),
    Bad("no width stated", without("qwen2.embedding_length"), "does not state qwen2.embedding_length"),
    Bad("sizes of another architecture", other("general.architecture", STRING, "llama"), "does not state llama."),
    Bad("0 layers", other("qwen2.block_count", UINT32, 0), "qwen2.block_count is 0, not a size"),
    Bad("endless layers", other("qwen2.block_count", UINT64, HUGE), "qwen2.block_count is \\d+, not a size"),
    Bad("layers in words", other("qwen2.block_count", STRING, "2"), "qwen2.block_count is '2', not a size"),
    Bad("a fraction of layers", other("qwen2.block_count", FLOAT32, 2.5), "qwen2.block_count is 2.5, not a size"),
    Bad("true for layers", other("qwen2.block_count", BOOL, True), "qwen2.block_count is True, not a size"),
    Bad("0 heads", other("qwen2.attention.head_count", UINT32, 0), "qwen2.attention.head_count is 0"),
    Bad("no key heads listed", other("qwen2.attention.head_count_kv", ARRAY, (UINT32, [])), "head_count_kv is \\(\\)"),
    Bad("key heads in words", other("qwen2.attention.head_count_kv", ARRAY, (STRING, ["2"])), "head_count_kv is 1, not a size"),
    Bad("a vocabulary in words", other("qwen2.vocab_size", STRING, "many"), "qwen2.vocab_size is 'many'"),
)  # fmt: skip
def test_a_bad_file_is_refused(bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf())
    spoilt(path, bad)
    refused_by_command(capsys, ("cost", "--gpu", "h100", "--backbone", path), path, tmp_path, bad)


@cases(
    Bad("a file", "", "no such file", NOT_FOUND),
    Bad("a folder", "", "is unknown; known: .*GGUF files", USAGE),
)
def test_a_file_that_is_not_there(bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.gguf"
    if bad.name == "a folder":
        path.mkdir()
    refused_by_command(capsys, ("cost", "--gpu", "h100", "--backbone", path), path, tmp_path, bad)


READERS: list[Callable[[Path], Any]] = [gguf_shape, lambda path: read_header(path, ("qwen2.x",))]


@pytest.mark.parametrize("reader", READERS)
@PROPERTY
@given(damaged(gguf(tensors=1, tail=tensor(2, 4, 4))))
def test_any_damage_is_read_or_refused(reader: Callable[[Path], Any], content: bytes) -> None:
    path = SCRATCH / "model.gguf"
    path.write_bytes(content)
    read_or_refused(reader, path)


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf())
    shape = gguf_shape(path)
    assert (shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.vocabulary) == (2, 64, 4, 2, 100)
