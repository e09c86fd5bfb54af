"""The passages of one query in a file of their own."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from headrank.commands.method_options import spelt
from headrank.data.beir import Document, read_documents
from headrank.data.files import check_regular
from headrank.data.lines import open_lines
from headrank.errors import InputError, UsageError

# More passages than any prompt holds.
_MOST = 10_000


def add_documents(parser: argparse.ArgumentParser) -> None:
    """The option that names the file."""
    parser.add_argument(
        "--documents",
        help=(
            "instead of a run: passages, best first; JSON lines (_id, text, title), TSV (id, text), or plain text with"
            " one passage a line"
        ),
    )


def check_no_run(options: argparse.Namespace, names: Iterable[str]) -> None:
    """UsageError for the first of these options that is given: they are about a run."""
    for name in names:
        if getattr(options, name):
            raise UsageError(f"--documents has its own passages; leave {spelt(name)} out")


def read_given_documents(path: Path) -> list[Document]:
    """The passages of a file in its order: JSON lines or TSV, as a corpus has them, or plain text, one a line.

    Lines of plain text have their numbers, blank lines not counted, as ids. Raises InputError naming file and line.
    """
    # Its reader says what is wrong with a file that is not there.
    with suppress(OSError):
        # It is opened twice, and a pipe could be read only once.
        check_regular(path)
    lines = ((number, line.strip()) for number, line in open_lines(path))
    written = ((number, line) for number, line in lines if line)
    first = next(written, None)
    if first is None:
        raise InputError(f"{path}: no passage in the file")
    if first[1].startswith("{") or "\t" in first[1]:
        found = list(islice(read_documents(path), _MOST + 1))
    else:
        rows = [first, *islice(written, _MOST)]
        found = [Document(str(place), "", line) for place, (_, line) in enumerate(rows, 1)]
    if len(found) > _MOST:
        raise InputError(f"{path}: more than {_MOST} passages; give the candidates of one query")
    return found
