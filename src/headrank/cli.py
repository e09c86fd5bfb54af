"""``headrank``: the methods on files, for people without Snakemake."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from headrank.commands import bench, check, cost, diff, doctor, evaluate, fuse, heads, methods, rerank, show
from headrank.errors import InputError
from headrank.process.heap import keep_freed_memory

BAD_INPUT = 5


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="headrank", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for command in (rerank, heads, methods, cost, bench, evaluate, fuse, show, check, diff, doctor):
        command.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; bad input ends in one line on standard error and status 5."""
    options = parser().parse_args(arguments)
    keep_freed_memory()
    try:
        status: int | None = options.run_command(options)
        sys.stdout.flush()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:
        # The reader of the output has closed it; the interpreter must not report that again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
    else:
        return status or 0
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
