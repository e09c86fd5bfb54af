"""GGUF files on a command line: each dequantised once, into a folder that later runs load."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from headrank.data.atomic import write_json
from headrank.data.digests import file_digest, files_under
from headrank.data.json_files import read_json
from headrank.engine.gguf.find import given_gguf, is_gguf
from headrank.engine.gguf.origin import ORIGIN
from headrank.engine.gguf.unpack import FORMAT, unpack_gguf
from headrank.errors import InputError, UsageError

logger = logging.getLogger(__name__)
VARIABLE = "HEADRANK_CACHE"
# The digests of a folder's files; folders of earlier versions have none and are taken as they are.
_LISTED = ".sha256.json"


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
    that is killed half-way leaves nothing that is mistaken for it. A folder that changed since is created again: nobody
    would see a flipped bit of a weight in the scores.
    """
    status = file.stat()
    digest = _digest(str(file.resolve()), status.st_size, status.st_mtime_ns)
    target = cache_folder() / f"gguf-{FORMAT}" / digest
    if (target / ORIGIN).is_file():
        if _as_created(target):
            return target
        logger.warning("%s: damaged, dequantising %s again", target, file)
        shutil.rmtree(target, ignore_errors=True)
        _as_created.cache_clear()
    logger.warning("%s: dequantising it into %s, once", file, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{digest[:8]}.", dir=target.parent))
    try:
        unpack_gguf(file, temporary / digest)
        write_json(temporary / digest / _LISTED, _digests(temporary / digest))
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
def _as_created(folder: Path) -> bool:
    """Whether the folder's files are as they were when it was created; read once per process."""
    try:
        return bool(read_json(folder / _LISTED, "list of digests") == _digests(folder))
    except (OSError, InputError):
        return not (folder / _LISTED).exists()


def _digests(folder: Path) -> dict[str, str]:
    return {name: file_digest(folder / name) for name in files_under(folder)}


@cache
def _digest(path: str, size: int, time: int) -> str:
    """The file's SHA-256, computed once per process while size and time stay the same: several functions need it."""
    return file_digest(path)
