"""What a checkpoint folder says about the GGUF file that it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ORIGIN = "gguf.json"


def read_origin(folder: str | Path) -> dict[str, Any] | None:
    """File, SHA-256, hub id and revision, types and packages, as unpacking wrote them; None for other checkpoints."""
    path = Path(folder) / ORIGIN
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
