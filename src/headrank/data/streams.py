"""Outputs that are no files: devices, pipes, and descriptors that are open already, as ``/dev/stdout`` is."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from headrank.errors import RunError, UsageError

_MOST_LINKS = 40


def is_stream(path: Path) -> bool:
    """Whether a path must be written into and never replaced.

    Raises InputError for a disk or a socket, which are no outputs at all.
    """
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise UsageError(f"{path}: is a {'disk' if stat.S_ISBLK(mode) else 'socket'}; name a file to write")
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Open what ``is_stream`` says is one; errors name the path.

    Raises InputError for a named pipe that nobody reads: waiting for a reader might never end.
    """
    try:
        with os.fdopen(_opened(path), "wb") as stream:
            yield stream
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise RunError(f"{path}: nobody reads from this pipe; start its reader first") from None
        raise OSError(error.errno, error.strerror, str(path)) from error


def _opened(path: Path) -> int:
    number = _descriptor(path)
    if number is not None:
        sys.stdout.flush()
        # The descriptor itself: opening its file again would begin at the file's start, over what is there.
        return os.dup(number)
    opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    os.set_blocking(opened, True)
    return opened


def _descriptor(path: Path) -> int | None:
    """The open descriptor that a path leads to, such as 1 for ``/dev/stdout``; None for any other path."""
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in (f"/proc/{os.getpid()}/fd", "/dev/fd") and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None
