"""GGUF files on a command line: each dequantised once, into a folder that later runs load."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from headrank.data.digests import file_digest
from headrank.engine.gguf.find import given_gguf, is_gguf
from headrank.engine.gguf.origin import ORIGIN
from headrank.engine.gguf.unpack import FORMAT, unpack_gguf
from headrank.errors import UsageError

logger = logging.getLogger(__name__)
VARIABLE = "HEADRANK_CACHE"


def checkpoint(model: str, revision: str | None = None) -> str:
    """What to load for a model: for a GGUF file the folder that it is unpacked into, for everything else its own name.

    Raises InputError for a file that is not there or cannot be read, and for a file that is given with a revision.
    """
    if not is_gguf(model):
        return model
    if revision:
        raise UsageError(f"{model}: a file has no revision; leave {revision} out")
    return str(unpacked(given_gguf(model)))


def unpacked(file: Path) -> Path:
    """The folder of a GGUF file in the cache, created if it is not there.

    It is named by the file's SHA-256, and appears complete or not at all: two processes may create it at once, and one
    that is killed half-way leaves nothing that is mistaken for it.
    """
    status = file.stat()
    digest = _digest(str(file.resolve()), status.st_size, status.st_mtime_ns)
    target = cache_folder() / f"gguf-{FORMAT}" / digest
    if (target / ORIGIN).is_file():
        return target
    logger.warning("%s: dequantising it into %s, once", file, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{digest[:8]}.", dir=target.parent))
    try:
        unpack_gguf(file, temporary / digest)
        try:
            (temporary / digest).rename(target)
        except OSError:
            # Another process was quicker.
            if not (target / ORIGIN).is_file():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def cache_folder() -> Path:
    """What HEADRANK_CACHE names, or else the user's cache folder (``XDG_CACHE_HOME``, ``~/.cache``)."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "headrank"


@cache
def _digest(path: str, size: int, time: int) -> str:
    """The file's SHA-256, computed once per process while size and time stay the same: several functions need it."""
    return file_digest(path)
