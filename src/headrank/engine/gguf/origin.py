"""What a checkpoint folder says about the GGUF file that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrank.data.json_files import read_json
from headrank.errors import InputError
from headrank.specs import read_value

ORIGIN = "gguf.json"


def read_origin(folder: str | Path) -> dict[str, Any] | None:
    """File, SHA-256, hub id and revision, types and packages, as unpacking wrote them; None for other checkpoints.

    Raises InputError for a file that unpacking did not write.
    """
    path = Path(folder) / ORIGIN
    if not path.is_file():
        return None
    found: dict[str, Any] = read_value(
        Mapping[str, Any], read_json(path, "origin of a checkpoint"), str(path)
    )
    if not isinstance(found.get("sha256"), str):
        raise InputError(f"{path}: does not say the SHA-256 of the GGUF file; unpack the checkpoint again")
    return found
