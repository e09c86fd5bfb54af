"""Files that are written whole or not at all; devices, pipes and open descriptors are written into."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.data.streams import is_stream, open_stream
from headrank.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` that replaces it when the block ends without an error.

    The content is flushed to disk before the rename, so that a reader (or a rerun after a crash) sees the
    old file or the new one and never a part. On an error the temporary file is removed and ``path`` is as before.

    A link stays and the file that it leads to is replaced. What is no file, such as ``/dev/stdout``, ``/dev/null`` or a
    pipe, stays too and receives the content when the block ends (``headrank.data.streams``).
    """
    place = Path(path)
    if is_stream(place):
        with tempfile.TemporaryDirectory(prefix="headrank-") as folder:
            yield (temporary := Path(folder, f"output{place.suffix}"))
            with temporary.open("rb") as content, open_stream(place) as stream:
                shutil.copyfileobj(content, stream)
        return
    target = Path(os.path.realpath(place))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=place.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        open_up(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def open_up(path: Path) -> None:
    """Give a file the permissions of a new one: temporary files are private, and results are for others to read."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 with LF line ends, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, so that equal values give equal bytes.

    Raises InputError for numbers that JSON does not have, NaN and infinities; nothing is written then.
    """
    try:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise InputError(f"{path}: not written, a value in it is NaN or infinite") from None
    write_text(path, f"{text}\n")


def write_parquet(path: str | os.PathLike[str], frame: pd.DataFrame) -> None:
    """Write a data frame as parquet without its index."""
    with whole_file(path) as temporary:
        frame.to_parquet(temporary, index=False)
