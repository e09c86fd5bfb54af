"""Files that are opened for reading: regular ones of a bounded size, since a pipe or a device may never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from headrank.errors import InputError, NotFoundError

MIB = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | os.PathLike[str], pipes: bool = False) -> BufferedReader:
    """Open a regular file for reading, without ever waiting for another program.

    pipes: also accept a pipe without a name, such as a shell's ``<(zcat run.gz)``, which a program is writing to; a
    named pipe may have no writer. Raises InputError for pipes, sockets and devices, and OSError as ``open`` does, also
    for folders.
    """
    place = Path(path)
    _check_kind(place, place.stat().st_mode, pipes)
    # Opening a named pipe that replaced the file since would wait for a writer.
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_kind(place, os.fstat(descriptor).st_mode, pipes)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise what ``open_regular`` raises: for files that a library opens by their names."""
    open_regular(path).close()


def read_whole(path: str | os.PathLike[str], most: int = 256 * MIB) -> bytes:
    """A regular file's content; InputError if it has more than ``most`` bytes."""
    with open_regular(path) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path}: more than {most // MIB} MiB, too large for a file of this kind")
    return content


def _check_kind(path: Path, mode: int, pipes: bool) -> None:
    if stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode) and _nameless(path)):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise NotFoundError(
        f"{path}: is {_KINDS.get(stat.S_IFMT(mode), 'no regular file')}, expected a file; name a file"
    )


def _nameless(path: Path) -> bool:
    """Whether a pipe is known by its descriptor alone: /dev/fd/63 leads to ``pipe:[4242]``, which is no file."""
    return not Path(os.path.realpath(path)).exists()
