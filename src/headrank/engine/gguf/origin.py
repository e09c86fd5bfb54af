"""What a checkpoint folder says about the GGUF file that it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrank.data.json_files import read_object
from headrank.errors import InputError

ORIGIN = "gguf.json"


def read_origin(folder: str | Path) -> dict[str, Any] | None:
    """File, SHA-256, hub id and revision, types and packages, as unpacking wrote them; None for other checkpoints.

    Raises InputError for a file that unpacking did not write.
    """
    path = Path(folder) / ORIGIN
    if not path.is_file():
        return None
    found = read_object(path, "origin of a checkpoint")
    if not isinstance(found.get("sha256"), str):
        raise InputError(f"{path}: names no SHA-256 of a GGUF file; unpack the file again")
    return found
