"""Files and folders that are written whole or not at all; devices, pipes and open descriptors are written into."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.data.streams import is_stream, open_stream
from headrank.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

# What is being written next to NAME is called .NAME.new-XXXXXXXX, so that it can be told from all other files.
_MARK = ".new-"
# Errors of writing that the system reports without a file's name.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What is written in Rust, as safetensors is, has errors of its own; NumPy tells of a write that stopped half-way.
_FROM_RUST = re.compile(r"\(os error (\d+)\)")
_FROM_NUMPY = re.compile(r"\d+ requested and \d+ written")


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
        handle, name = tempfile.mkstemp(prefix=_prefix(file), suffix=place.suffix, dir=file.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with writing(place, temporary):
            yield temporary
        with writing(place):
            _flush(temporary)
            open_up(temporary)
            temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder next to ``path`` that replaces it, file or folder, when the block ends without an error.

    As ``whole_file``: all files are flushed to disk first, and on an error ``path`` is as before. What was there is
    moved aside, not removed, until the new folder is in its place.
    """
    target = Path(os.path.realpath(path))
    with writing(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
    made = temporary / target.name
    try:
        with writing(path):
            made.mkdir()
        with writing(path, temporary):
            yield made
        with writing(path):
            for file in made.rglob("*"):
                if file.is_file() and not file.is_symlink():
                    _flush(file)
            _put_in_place(made, target, temporary.with_name(f"{temporary.name}.old"))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(made: Path, target: Path, aside: Path) -> None:
    if os.path.lexists(target):
        target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        if os.path.lexists(aside):
            aside.rename(target)
        raise
    if os.path.lexists(aside):
        _remove(aside)


@contextmanager
def writing(path: str | os.PathLike[str], temporary: Path | None = None) -> Iterator[None]:
    """Turn the system's errors in the block into RunError, which names the file or folder that could not be written.

    temporary: if given, only errors that name this file, a file in this folder, or none are; others are of files that
    the block reads. A reader of the output that went away (BrokenPipeError) is no error of writing.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        reason = _reason(error, temporary)
        if reason is None:
            raise
        # A folder above the file, which could not be made or written to.
        name = str(getattr(error, "filename", ""))
        where = f" ({name})" if name in map(str, Path(path).parents) else ""
        raise RunError(f"{os.fspath(path)}: not written: {reason}{where}") from error


def _reason(error: Exception, temporary: Path | None) -> str | None:
    """Why the system refused to write; None for all other errors."""
    if (told := _FROM_RUST.search(str(error))) and int(told[1]) in _NO_ROOM:
        return os.strerror(int(told[1]))
    if not isinstance(error, OSError):
        return None
    if _FROM_NUMPY.search(str(error)):
        return os.strerror(errno.ENOSPC)
    if temporary is not None:
        if error.filename is None and error.errno is None:
            return None
        if error.filename is not None and not os.fsdecode(error.filename).startswith(str(temporary)):
            return None
    # A file where a folder should be.
    return os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror or str(error)


def clear_unfinished(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Remove what a killed process left of these files and folders; nobody else may be writing them now."""
    wanted = {(target.parent, target.name) for target in map(Path, paths)}
    for parent in {parent for parent, _ in wanted}:
        if not parent.is_dir():
            continue
        for entry in os.scandir(parent):
            found = re.fullmatch(rf"\.(.+){re.escape(_MARK)}[a-z0-9_]{{8}}(\.[^.]*)?", entry.name)
            if not found or (parent, found[1]) not in wanted:
                continue
            _remove(Path(entry.path))


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

    Raises RunError for numbers that JSON does not have, NaN and infinities; nothing is written then.
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


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _prefix(target: Path) -> str:
    return f".{target.name}{_MARK}"


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
