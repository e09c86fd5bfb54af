"""Files that are written whole or not at all; devices, pipes and open descriptors are written into."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.data.streams import is_stream, open_stream
from headrank.errors import RunError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` that replaces it when the block ends without an error.

    The content is flushed to disk before the rename, so that a reader (or a rerun after a crash) sees the
    old file or the new one and never a part. On an error the temporary file is removed and ``path`` is as before.

    A link stays and the file that it leads to is replaced. What is no file, such as ``/dev/stdout``, ``/dev/null`` or a
    pipe, stays too and receives the content when the block ends (``headrank.data.streams``).

    Raises RunError, naming the file, where the system refuses to write.
    """
    place = Path(path)
    with writing(place):
        stream = is_stream(place)
    if stream:
        with tempfile.TemporaryDirectory(prefix="headrank-") as folder:
            temporary = Path(folder, f"output{place.suffix}")
            with writing(place, temporary):
                yield temporary
            with writing(place), temporary.open("rb") as content, open_stream(place) as target:
                shutil.copyfileobj(content, target)
        return
    file = Path(os.path.realpath(place))
    with writing(place):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=place.suffix, dir=file.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with writing(place, temporary):
            yield temporary
        with writing(place):
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            open_up(temporary)
            temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: str | os.PathLike[str], temporary: Path | None = None) -> Iterator[None]:
    """Turn the system's errors in the block into RunError, which names the file that could not be written.

    temporary: if given, only errors that name this file or none are; others are of files that the block reads. A reader
    of the output that went away (BrokenPipeError) is no error of writing.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if temporary is not None and error.filename not in (None, str(temporary), temporary):
            raise
        # A folder above the file, which could not be made or written to.
        parents = map(str, Path(path).parents)
        where = f" ({error.filename})" if error.filename in parents else ""
        # A file where a folder should be.
        reason = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
        raise RunError(f"{os.fspath(path)}: not written: {reason or error}{where}") from error


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
        raise RunError(f"{path}: not written, a value in it is NaN or infinite") from None
    write_text(path, f"{text}\n")


def write_parquet(path: str | os.PathLike[str], frame: pd.DataFrame) -> None:
    """Write a data frame as parquet without its index."""
    with whole_file(path) as temporary:
        frame.to_parquet(temporary, index=False)
