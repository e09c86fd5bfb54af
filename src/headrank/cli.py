"""Rerank files with any method, serve a model, look at studies and check them: `headrank COMMAND --help` says how."""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

from headrank import __version__
from headrank.commands import (
    bench,
    check,
    cost,
    diff,
    doctor,
    evaluate,
    explain,
    export,
    fuse,
    heads,
    methods,
    probability,
    rerank,
    serve,
    show,
    status,
)
from headrank.errors import INTERRUPTED, InputError, NotFoundError, RunError, described, is_absent, one_line
from headrank.process.heap import keep_freed_memory


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="headrank", description=__doc__)
    top.add_argument("--version", action="version", version=f"headrank {__version__}")
    # Without the name, the usage line and the message that a command is missing hold all commands between braces.
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (
        rerank,
        serve,
        explain,
        heads,
        probability,
        methods,
        cost,
        bench,
        evaluate,
        fuse,
        show,
        status,
        check,
        diff,
        export,
        doctor,
    ):
        command.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    An error ends in one line on standard error and the status of its kind (``headrank.errors``; docs/using.md lists
    them), also one that nobody foresaw: its traceback goes into a file that the line names.
    """
    options = parser().parse_args(arguments)
    keep_freed_memory()
    # Texts from files may hold what the terminal cannot show.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int | None = options.run_command(options)
        sys.stdout.flush()
    except InputError as error:
        return _told(one_line(error), error.exit_status)
    except KeyboardInterrupt:
        return _told("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of the output has closed it; the interpreter must not report that again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = error.filename if error.filename is not None else "input or output"
        kind = NotFoundError if is_absent(error) else RunError
        return _told(f"{where}: {error.strerror or one_line(error)}", kind.exit_status)
    except Exception as error:
        # The line is made outside the block, where a RecursionError or MemoryError has given back what it took.
        unforeseen = error
    else:
        return status or 0
    return _told(_traced(unforeseen), RunError.exit_status)


def _told(line: str, status: int) -> int:
    print(f"error: {line}", file=sys.stderr)
    return status


def _traced(error: Exception) -> str:
    """An unforeseen error in a line, its traceback in a file of the system's temporary folder, or before the line."""
    line = described(error)
    trace = "".join(traceback.format_exception(error))
    try:
        handle, name = tempfile.mkstemp(prefix="headrank-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(trace)
    except OSError:
        sys.stderr.write(trace)
        return line
    return f"{line} (traceback in {name})"


if __name__ == "__main__":
    sys.exit(main())
