"""SHA-256 digests of files and folders, and which files of a folder count."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from headrank.data.files import open_regular
from headrank.errors import InputError, NotFoundError

_CHUNK = 1 << 20


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content as 64 hex digits; read in chunks, so that weights of any size fit into memory.

    Raises InputError for a pipe or a device, which may never end, and OSError as ``open`` does.
    """
    state = hashlib.sha256()
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def files_under(root: str | os.PathLike[str], skip: Iterable[str] = ()) -> list[str]:
    """Paths of all files below ``root``, relative and with slashes, sorted by their bytes.

    Links are followed, to files and to folders: what counts is the content that a reader of the path gets. A broken
    link is listed as well. Hidden entries (a leading dot) are not listed: Snakemake, the model hub and unfinished
    writes leave such files. ``skip`` names further ones, relative to ``root``. Raises InputError for a link that leads
    into its own parents, for pipes and the like, and for names that do not fit on a line of UTF-8 text.
    """
    top = Path(root)
    if not top.is_dir():
        raise NotFoundError(f"{top}: no such folder")
    found: list[str] = []
    skipped = set(skip)
    todo: list[tuple[str, tuple[str, ...]]] = [("", (os.path.realpath(top),))]
    while todo:
        place, parents = todo.pop()
        for entry in os.scandir(top / place):
            name = f"{place}{entry.name}"
            if entry.name.startswith(".") or name in skipped:
                continue
            _check_name(top, name)
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real in parents:
                    raise InputError(f"{entry.path}: the link leads into its own parents; remove it")
                todo.append((f"{name}/", (*parents, real)))
            elif entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
                found.append(name)
            else:
                raise InputError(f"{entry.path}: neither a file nor a folder; remove it")
    return sorted(found)


def folder_digest(root: str | os.PathLike[str], names: Iterable[str] | None = None) -> str:
    """One SHA-256 for a folder: that of the lines ``sha256sum`` prints for its files, sorted by path.

    names: the files that count, relative to ``root``; all that ``files_under`` finds if not given. A file's name
    counts, its times and permissions do not.
    """
    chosen = files_under(root) if names is None else names
    return combined_digest({name: file_digest(Path(root) / name) for name in chosen})


def combined_digest(digests: Mapping[str, str]) -> str:
    """A folder's digest from those of its files: relative path -> SHA-256."""
    lines = "".join(digest_line(digests[name], name) for name in sorted(digests))
    return hashlib.sha256(lines.encode("utf-8")).hexdigest()


def digest_line(digest: str, name: str) -> str:
    """A line as ``sha256sum`` writes it."""
    return f"{digest}  {name}\n"


def _check_name(root: Path, name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{root}: the file name {name!r} is not UTF-8; rename the file") from None
    if "\n" in name or "\r" in name or "\\" in name:
        raise InputError(f"{root}: the file name {name!r} holds a line end or a backslash; rename the file")
