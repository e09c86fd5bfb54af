"""The errors that the caller can fix, by kind, and parts of messages: values in short, hints for misspelt names."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar

# As a shell counts the end by an interrupt: 128 and the number of the signal.
INTERRUPTED = 130
# Of a path that is not there, is of another kind than expected, or may not be opened.
_ABSENT = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV),
    *(errno.EACCES, errno.EPERM),
}


class InputError(ValueError):
    """Bad input; its message is one line that names the file, line or key at fault and says what to do.

    Entry points (pipeline stages, the command line) print it without a traceback and exit with ``exit_status``, which
    says what kind of error it is: 5, invalid data, unless the class says otherwise.
    """

    exit_status: ClassVar[int] = 5


class UsageError(InputError):
    """Arguments or a configuration that do not hold: unknown names, values out of range, options that do not agree."""

    exit_status: ClassVar[int] = 2


class PrerequisiteError(InputError):
    """What has to be done before is not: an optional package is not installed, an earlier step has not run."""

    exit_status: ClassVar[int] = 3


class NotFoundError(InputError):
    """A file, folder, model or data set that is not there, may not be read, or cannot be downloaded."""

    exit_status: ClassVar[int] = 4


class RunError(InputError):
    """What went wrong while it ran: numbers that are not finite, memory, a disk that is full, a file not written."""

    exit_status: ClassVar[int] = 6


def one_line(error: BaseException) -> str:
    """An error's message without line ends; its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def described(error: BaseException) -> str:
    """An unforeseen error in one line: its type, and its message where it has one."""
    kind, reason = type(error).__name__, one_line(error)[:300]
    return kind if reason == kind else f"{kind}: {reason}"


def is_absent(error: BaseException) -> bool:
    """Whether an error says that something is not there, or may not be read."""
    if isinstance(error, OSError):
        # Libraries raise FileNotFoundError without a number.
        return error.errno in _ABSENT or isinstance(error, FileNotFoundError | PermissionError)
    return isinstance(error, NotFoundError)


def unreadable(error: BaseException) -> type[InputError]:
    """The kind of error for a file whose reader met this one: NotFoundError, or invalid data."""
    return NotFoundError if is_absent(error) else InputError


def shown(value: object, longest: int = 100) -> str:
    """A value for a message, shortened: bad input may be of any size, or nested too deep to be printed."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"{type(value).__name__} of too many digits or levels"
    return text if len(text) <= longest else f"{text[:longest]}…"


def shown_key(key: object) -> str:
    """A key for a message: as it is if it is a plain word, or else as ``shown`` gives it."""
    return key if isinstance(key, str) and key.isprintable() and len(key) <= 100 else shown(key)


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Put what is at fault, such as a query, before the message of an InputError that the block raises."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{what}: {error}") from None


def suggestion(name: object, known: Iterable[str], what: str = "known") -> str:
    """The word that was probably meant, or else all that are known."""
    words = list(known)
    close = difflib.get_close_matches(str(name), words, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{what}: {', '.join(sorted(words))}"
