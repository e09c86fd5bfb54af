"""One job of a pipeline: where its messages go, and how it ends when its input is bad.

A job writes its messages to its own log file. On bad input it writes one line there and on the terminal and exits with
the status of its kind (``headrank.errors``); any other error leaves its traceback in the log.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from headrank.data.atomic import clear_unfinished
from headrank.errors import INTERRUPTED, InputError, NotFoundError, RunError, described, is_absent, one_line
from headrank.jobs.made import check_inputs, record_job
from headrank.process.heap import keep_freed_memory

# What moves a terminal's cursor or colours its text.
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PIECES = re.compile(r"[^\r\n]+(?:\r\n|\r|\n)?|\r\n|\r|\n")


class LogStream(io.TextIOBase):
    """A text stream onto a log file that keeps progress bars readable.

    A bar redraws its line after a carriage return many times a second; of those lines, one every ``interval`` seconds
    is kept, and the last one.
    """

    def __init__(self, file: TextIO, interval: float = 10.0) -> None:
        self._file = file
        self._interval = interval
        self._line = ""
        self._bar = False
        self._shown = time.monotonic()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text and self._bar and not text.startswith(("\r", "\n")):
            self.finish()
        for piece in _PIECES.findall(text):
            self._line += piece.rstrip("\r\n")
            if piece.endswith("\n"):
                self.finish()
            elif piece.endswith("\r"):
                if time.monotonic() - self._shown >= self._interval:
                    self.finish()
                self._line, self._bar = "", True
        return len(text)

    def flush(self) -> None:
        write_if_possible(self._file, "")

    def finish(self) -> None:
        """Write the current line, if it is not empty, and begin another."""
        line = _CODES.sub("", self._line).rstrip()
        if line:
            write_if_possible(self._file, f"{line}\n")
            self._shown = time.monotonic()
        self._line, self._bar = "", False


def write_if_possible(file: TextIO, text: str) -> None:
    """Write and flush; on a full disk the job's own error is what has to be told, not that of its log."""
    with contextlib.suppress(OSError):
        file.write(text)
        file.flush()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The log file; one line on the terminal and status 6 if it cannot be opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        print(f"error: {path}: {error.strerror or error}", file=sys.stderr, flush=True)
        raise SystemExit(RunError.exit_status) from None
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()


@contextlib.contextmanager
def job(
    log: str | os.PathLike[str],
    threads: int | None = None,
    inputs: Iterable[str] = (),
    outputs: Iterable[str] = (),
) -> Iterator[None]:
    """Run the block with stderr, warnings, logging and progress bars going to ``log``.

    threads: how many threads PyTorch may use; if given, the script must already have loaded PyTorch.

    inputs, outputs: the job's files. An input that is not as the job which made it left it is bad input, and what this
    job made is recorded (``headrank.jobs.records``).

    InputError ends the process with the status of its kind, after one line ``error: ...`` in the log and on the real
    stderr. Any other exception ends it with status 4 (a file is not there) or 6, its traceback in the log; an interrupt
    is noted in the log and ends it with status 130.
    """
    keep_freed_memory()
    # What has been imported stays until the end, so the garbage collector need not scan it, least of all when the
    # process ends, where that takes a second.
    gc.freeze()
    if threads is not None:
        sys.modules["torch"].set_num_threads(threads)
    path = Path(log)
    read, made = list(inputs), list(outputs)
    terminal = sys.stderr
    with _opened(path) as file:
        stream = LogStream(file)
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        logging.captureWarnings(True)
        try:
            with contextlib.redirect_stderr(stream):
                # Of an earlier try that was killed. No other process makes these files: Snakemake locks its directory.
                clear_unfinished([*made, *(Path(output).parent for output in made)])
                last = check_inputs(read, made)
                yield
                record_job(log, read, made, last)
        except InputError as error:
            stream.finish()
            _tell(file, terminal, f"error: {one_line(error)}")
            raise SystemExit(error.exit_status) from None
        except KeyboardInterrupt:
            stream.finish()
            write_if_possible(file, "interrupted\n")
            raise SystemExit(INTERRUPTED) from None
        except Exception as error:
            stream.finish()
            write_if_possible(file, traceback.format_exc())
            print(f"error: {described(error)} (traceback in {path})", file=terminal, flush=True)
            raise SystemExit((NotFoundError if is_absent(error) else RunError).exit_status) from None
        finally:
            stream.finish()
            logging.captureWarnings(False)
            root.removeHandler(handler)
            root.setLevel(level)


def _tell(file: TextIO, terminal: TextIO, line: str) -> None:
    write_if_possible(file, f"{line}\n")
    print(line, file=terminal, flush=True)
