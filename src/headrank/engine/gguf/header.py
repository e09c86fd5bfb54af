"""The header of a GGUF file: its metadata and its table of tensors, without the weights.

The format is that of the GGUF specification (ggml's docs/gguf.md), versions 2 and 3, little-endian. The available
readers make Python objects for every token of a vocabulary, some of them three times, and need PyTorch or NumPy. This
one takes a fifth of a second, so that job limits can be calculated from a file's sizes.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrank.data.files import open_regular
from headrank.errors import InputError, shown, unreadable

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
# What no model comes near: keys or tensors, dimensions of a tensor, values of a list (a vocabulary has 300,000), bytes
# of a text (a chat template has 20,000). A sparse file may claim any number.
MOST_ENTRIES, MOST_DIMENSIONS, MOST_VALUES, MOST_BYTES = 1 << 17, 8, 1 << 22, 1 << 24
TOKENS = "tokenizer.ggml.tokens"
STRING, ARRAY = 8, 9
# Types of fixed width by number: u8, i8, u16, i16, u32, i32, f32, bool, u64, i64, f64.
_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True)
class Tensor:
    """One tensor of the table: shape in PyTorch's order, ggml's number of its type, offset within the data."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What comes before the weights.

    metadata: every key; for arrays of strings only their length, except for those requested. places: key -> (start,
    stop) of its bytes, type and value included. arrays: keys of arrays. table: (start, stop) of the table of tensors.
    data: where the weights begin.
    """

    path: Path
    version: int
    metadata: Mapping[str, Any]
    places: Mapping[str, tuple[int, int]]
    arrays: frozenset[str]
    tensors: tuple[Tensor, ...]
    table: tuple[int, int]
    data: int

    @property
    def architecture(self) -> str:
        """The name that ggml gives to the kind of model, such as "qwen2"."""
        return str(self.metadata["general.architecture"])

    @property
    def alignment(self) -> int:
        """The weights, and each tensor in them, begin at a multiple of this many bytes."""
        return int(self.metadata.get("general.alignment", ALIGNMENT))

    def own(self, key: str, default: Any = None) -> Any:
        """The value of a key of the architecture, such as "block_count"."""
        return self.metadata.get(f"{self.architecture}.{key}", default)


def vocabulary(header: Header) -> int:
    """How many tokens the model knows: as stated, or else as many as the file lists (0 if none)."""
    listed = header.metadata.get(TOKENS, 0)
    found = header.own("vocab_size", len(listed) if isinstance(listed, tuple) else listed)
    if type(found) is not int or found < 0:
        raise InputError(
            f"{header.path}: {header.architecture}.vocab_size is {shown(found)}, not a number of tokens"
        )
    return found


def read_header(path: str | Path, strings: tuple[str, ...] = ()) -> Header:
    """Read a file's header; strings: arrays of strings that are wanted whole.

    Raises InputError naming the file where it is not there, is no GGUF file, is of another version, is one part of
    several, or ends within its header.
    """
    file = Path(path)
    try:
        with open_regular(file) as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                raise InputError(f"{file}: not a GGUF file (it does not begin with {MAGIC.decode()})")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _read(file, content, strings)
    except OSError as error:
        raise unreadable(error)(f"{file}: cannot be read ({error.strerror or error})") from error
    except InputError:
        raise
    # Counts and lengths of a damaged header may be anything.
    except (struct.error, LookupError, ValueError, ArithmeticError, TypeError, MemoryError) as error:
        raise InputError(f"{file}: cut off or damaged; its header cannot be read to the end") from error


def _read(file: Path, content: mmap.mmap, strings: tuple[str, ...]) -> Header:
    version, tensor_count, count = struct.unpack_from("<IQQ", content, 4)
    if version not in VERSIONS:
        known = " and ".join(map(str, VERSIONS))
        raise InputError(f"{file}: GGUF of version {version}; versions {known} are read")
    place = 24
    metadata: dict[str, Any] = {}
    places: dict[str, tuple[int, int]] = {}
    arrays = set()
    if max(count, tensor_count) > MOST_ENTRIES:
        raise ValueError("more entries than any model has")
    for _ in range(count):
        start = place
        key, place = _string(content, place)
        (kind,) = struct.unpack_from("<I", content, place)
        if key in metadata:
            raise InputError(f"{file}: the key {shown(key)} is given twice")
        metadata[key], place = _value(content, place + 4, kind, key in strings)
        places[key] = start, place
        if kind == ARRAY:
            arrays.add(key)
    if not isinstance(metadata.get("general.architecture"), str):
        raise InputError(f"{file}: does not say what kind of model it holds (general.architecture)")
    parts = metadata.get("split.count", 1)
    if type(parts) is not int or parts > 1:
        raise InputError(
            f"{file}: one of {shown(parts)} parts of a model; join them with llama-gguf-split --merge"
        )
    table = place
    tensors = []
    for _ in range(tensor_count):
        tensor, place = _tensor(content, place)
        tensors.append(tensor)
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if type(alignment) is not int or alignment < 1:
        raise ValueError("no alignment")
    data = -(-place // alignment) * alignment
    return Header(file, version, metadata, places, frozenset(arrays), tuple(tensors), (table, place), data)


def _tensor(content: mmap.mmap, place: int) -> tuple[Tensor, int]:
    name, place = _string(content, place)
    (dimensions,) = struct.unpack_from("<I", content, place)
    if dimensions > MOST_DIMENSIONS:
        raise ValueError("more dimensions than a tensor has")
    # ggml lists the dimension that runs fastest first, PyTorch lists it last.
    shape = struct.unpack_from(f"<{dimensions}Q", content, place + 4)[::-1]
    place += 4 + 8 * dimensions
    kind, offset = struct.unpack_from("<IQ", content, place)
    return Tensor(name, shape, kind, offset), place + 12


def _value(content: mmap.mmap, place: int, kind: int, whole: bool) -> tuple[Any, int]:
    if kind == STRING:
        return _string(content, place)
    if kind != ARRAY:
        (value,) = struct.unpack_from(f"<{_FIXED[kind]}", content, place)
        return value, place + struct.calcsize(f"<{_FIXED[kind]}")
    inner, length = struct.unpack_from("<IQ", content, place)
    place += 12
    if length > MOST_VALUES:
        raise ValueError("a longer list than any model has")
    if inner != STRING:
        form = f"<{length}{_FIXED[inner]}"
        return struct.unpack_from(form, content, place), place + struct.calcsize(form)
    texts = []
    for _ in range(length):
        (size,) = struct.unpack_from("<Q", content, place)
        if whole:
            texts.append(_string(content, place)[0])
        place += 8 + size
    return tuple(texts) if whole else length, place


def _string(content: mmap.mmap, place: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<Q", content, place)
    if size > MOST_BYTES:
        raise ValueError("a longer text than any model has")
    stop = place + 8 + size
    if stop > len(content):
        raise IndexError(place)
    return content[place + 8 : stop].decode("utf-8"), stop
