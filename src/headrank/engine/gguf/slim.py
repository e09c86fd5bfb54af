"""A copy of a GGUF file without its vocabulary: the same weights, read in a fraction of the time.

The package ``gguf`` makes several Python objects for every token. transformers lets it do so for the configuration and
again for the weights, which takes ten seconds each for a vocabulary of 150,000, although both use only its size.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from headrank.engine.gguf.header import MAGIC, Header, vocabulary

_UINT32 = 4


def write_slim(header: Header, target: str | Path) -> None:
    """Copy a file without the arrays of its metadata that describe the tokenizer; the vocabulary's size is stated."""
    kept = [key for key in header.places if not (key in header.arrays and key.startswith("tokenizer."))]
    size = f"{header.architecture}.vocab_size"
    stated = size in header.metadata
    with header.path.open("rb") as source, Path(target).open("wb") as copy:
        copy.write(
            struct.pack("<4sIQQ", MAGIC, header.version, len(header.tensors), len(kept) + (not stated))
        )
        for start, stop in map(header.places.__getitem__, kept):
            source.seek(start)
            copy.write(source.read(stop - start))
        if not stated:
            name = size.encode()
            copy.write(struct.pack(f"<Q{len(name)}sII", len(name), name, _UINT32, vocabulary(header)))
        start, stop = header.table
        source.seek(start)
        copy.write(source.read(stop - start))
        # The table counts from where the weights begin, which must be a multiple of the alignment here too.
        copy.write(bytes(-copy.tell() % header.alignment))
        source.seek(header.data)
        shutil.copyfileobj(source, copy, 1 << 24)
