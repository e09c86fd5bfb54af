"""A call of code that nobody vouches for: in a copy of this process, which ends when it has taken too much.

Limits inside a process do not hold: a single call of C code (a huge power, a repeated text) is not interrupted there.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A copy that computes nothing would wait for ever; how many times the computing time it may take on a busy machine.
PATIENCE = 10
_PIECE = 1 << 16


@dataclass(frozen=True)
class Bounds:
    """seconds: of computing. memory: bytes beyond those that this process has. answer: bytes of an answer."""

    seconds: float
    memory: int
    answer: int


class TooMuch(Exception):
    """The call took more computing time, or gave a longer answer, than it may."""


def bounded(work: Callable[[], Any], bounds: Bounds) -> Any:
    """What ``work`` returns, which JSON must be able to hold; nothing that it does changes this process.

    ``work`` may use no lock that another thread can hold. Raises TooMuch, MemoryError (Linux only; elsewhere memory is
    not bounded), and OSError when the system allows no further process.
    """
    # Without this, the tokenizers of the copy say on stderr that they no longer run in parallel.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    reading, writing = os.pipe()
    try:
        with warnings.catch_warnings():
            # Python warns of threads, which a copy does not have. The work uses none of their locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if child == 0:
        _answer(work, bounds, reading, writing)
    os.close(writing)
    try:
        sent = _read(reading, bounds)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not sent:
        raise TooMuch
    kind, value = json.loads(sent)
    if kind == "memory":
        raise MemoryError
    return value


def _answer(work: Callable[[], Any], bounds: Bounds, reading: int, writing: int) -> None:
    """The copy's whole life; it never returns."""
    try:
        os.close(reading)
        # The default action ends the process at once, whatever it computes.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, bounds.seconds)
        _bound_memory(bounds.memory)
        try:
            answer = ["value", work()]
        except MemoryError:
            answer = ["memory", None]
        with open(writing, "wb") as stream:
            stream.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def _bound_memory(more: int) -> None:
    import resource

    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _read(reading: int, bounds: Bounds) -> bytes:
    """All that the copy sends; nothing if it is too much, or if it never ends."""
    sent, end = b"", time.monotonic() + PATIENCE * bounds.seconds
    while select.select([reading], [], [], max(0.0, end - time.monotonic()))[0]:
        piece = os.read(reading, _PIECE)
        if not piece:
            return sent
        sent += piece
        if len(sent) > bounds.answer:
            break
    return b""
