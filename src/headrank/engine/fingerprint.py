"""A cheap digest that tells base models apart: of a checkpoint's configuration and of samples of its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from headrank.data.json_files import read_object
from headrank.engine.gguf.origin import read_origin
from headrank.engine.places import local_folder
from headrank.errors import InputError

_SAMPLES = 64
_SAMPLE = 1 << 16
# The weights that transformers loads: one file, or those that an index names.
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def fingerprint(model: str) -> str | None:
    """The fingerprint of a local model, which is a folder or a GGUF file; None for everything else."""
    folder = local_folder(model)
    return fingerprints(folder)[0] if folder is not None and (folder / "config.json").is_file() else None


def fingerprints(folder: str | Path) -> tuple[str, ...]:
    """The fingerprint of a checkpoint folder, and after it the one that earlier versions gave it, if that differs.

    SHA-256 over config.json and, from each file of weights that is loaded, its size and 64 evenly spaced pieces of 64
    KiB: this distinguishes base models without reading gigabytes, but does not protect against tampering. For a
    checkpoint from a GGUF file, the digest of that file replaces the configuration, which may contain more under
    another version of transformers. Earlier versions counted every safetensors file of the folder; some published
    models hold their weights twice, and how many of those files are there depends on who downloaded them.
    """
    place = Path(folder)
    every = sorted(place.glob("*.safetensors"))
    names = _loaded(place)
    loaded = [file for file in every if file.name in names] or every
    return tuple(dict.fromkeys(_digest(place, files) for files in (loaded, every)))


def _loaded(folder: Path) -> set[str]:
    if (folder / _WHOLE).is_file():
        return {_WHOLE}
    try:
        named = read_object(folder / _INDEX, "index of weights")["weight_map"]
        return {str(name) for name in named.values()}
    except (InputError, KeyError, AttributeError):
        # Whatever is wrong with the index, loading the model says it.
        return set()


def _digest(folder: Path, files: Sequence[Path]) -> str:
    origin = read_origin(folder)
    digest = hashlib.sha256(origin["sha256"].encode() if origin else (folder / "config.json").read_bytes())
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as stream:
            for i in range(_SAMPLES):
                stream.seek(size * i // _SAMPLES)
                digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()
