"""The end of a job's log, as ``headrank.jobs.job`` writes it: its last line, and whether the job failed with it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from headrank.data.files import open_regular
from headrank.errors import InputError

# Bytes from the end that are read: a traceback is shorter, and a progress bar's lines do not matter.
_TAIL = 64 << 10
_TRACEBACK = "Traceback (most recent call last):"
# What a job writes while it works: messages of its loggers, lines of its progress bar.
_WORKING = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+: |.*\d%\|")


@dataclass(frozen=True)
class LogEnd:
    """line: the last one that is not empty. kind: ``failed``, ``interrupted`` (Ctrl-C), or ``open`` for neither."""

    line: str
    kind: str


def log_end(path: str | os.PathLike[str]) -> LogEnd:
    """How a log ends; an empty line for one that is empty, missing or cannot be read."""
    lines = [line.rstrip() for line in _tail(Path(path)).splitlines() if line.strip()]
    if not lines:
        return LogEnd("", "open")
    last = lines[-1]
    if last == "interrupted":
        return LogEnd(last, "interrupted")
    if last.startswith("error: "):
        return LogEnd(last, "failed")
    if _TRACEBACK in lines:
        # Of an error that was only reported, the job went on and wrote more.
        begun = len(lines) - lines[::-1].index(_TRACEBACK)
        if not any(_WORKING.match(line) for line in lines[begun:]):
            return LogEnd(last, "failed")
    return LogEnd(last, "open")


def _tail(path: Path) -> str:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _TAIL))
            return file.read(_TAIL).decode("utf-8", "replace")
    except (OSError, InputError):
        return ""
