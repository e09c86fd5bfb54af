"""Where a model's files are: every model that a user can name (folder, GGUF file, hub id) ends as a local folder."""

from __future__ import annotations

from pathlib import Path

from headrank.engine.gguf.cache import checkpoint
from headrank.engine.gguf.find import is_gguf
from headrank.engine.hub import cached_snapshot
from headrank.errors import UsageError


def local_folder(model: str) -> Path | None:
    """The folder of a local model, for a GGUF file the one that it is unpacked into; None for any other name."""
    folder = Path(checkpoint(model)) if is_gguf(model) else Path(model)
    return folder if folder.is_dir() else None


def folder_of(model: str, revision: str | None = None) -> Path:
    """The folder that a model is loaded from; a model of the hub is downloaded, unless it is in the hub's cache.

    Raises InputError for a model that is nowhere, and for a revision of something that has none: it would be ignored.
    """
    if is_gguf(model):
        return Path(checkpoint(model, revision))
    place = Path(model)
    if place.is_dir():
        if revision:
            raise UsageError(f"{model}: a folder has no revision; leave {revision} out")
        return place
    if place.exists():
        raise UsageError(f"{model}: a file, but neither GGUF nor a checkpoint's folder; name the folder")
    return cached_snapshot(model, revision)
