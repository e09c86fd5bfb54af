"""What a checkpoint folder says about the GGUF file that it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headrank.errors import InputError

ORIGIN = "gguf.json"


def read_origin(folder: str | Path) -> dict[str, Any] | None:
    """File, SHA-256, hub id and revision, types and packages, as unpacking wrote them; None for other checkpoints.

    Raises InputError if the file is there but cannot be read.
    """
    path = Path(folder) / ORIGIN
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable ({error}); unpack the GGUF file again") from error
    if not isinstance(found, dict) or not isinstance(found.get("sha256"), str):
        raise InputError(f"{path}: names no SHA-256 of a GGUF file; unpack the file again")
    return found
