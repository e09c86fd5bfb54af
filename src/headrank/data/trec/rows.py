"""What runs and judgements share: rows of columns between blanks, with comments, and whole files written."""

from __future__ import annotations

import gzip
import logging
import os
import re
from collections.abc import Iterator

from headrank.data.atomic import whole_file
from headrank.data.identifiers import COMMENT
from headrank.data.lines import open_lines

logger = logging.getLogger(__name__)
# As long as a 64-bit integer may be: more digits are from a wrong column.
INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_BLANKS = re.compile(r"[ \t\r\f\v]+")


def rows(path: str | os.PathLike[str], count: int) -> Iterator[tuple[str, list[str], str]]:
    """The rows of a run or of judgements: (file:line, columns, the line as it is).

    count: how many columns a row has. Comments of so many columns without a blank behind their ``#`` may have been
    meant as rows of a query whose id begins so; they are counted in the log.
    """
    doubtful = 0
    for number, line in open_lines(path):
        columns = _BLANKS.split(line.strip(" \t\r\n\f\v"))
        if columns[0].startswith(COMMENT):
            doubtful += columns[0] != COMMENT and len(columns) == count
        elif columns != [""]:
            yield f"{path}:{number}", columns, line
    if doubtful:
        logger.warning("%s: %d lines that begin with %r are read as comments", path, doubtful, COMMENT)


def write(path: str | os.PathLike[str], text: str) -> None:
    """Write a file, whole or not at all; a name that ends in ``.gz`` is compressed."""
    data = text.encode("utf-8")
    if os.fspath(path).endswith(".gz"):
        data = gzip.compress(data, mtime=0)  # no time stamp: equal content gives equal bytes
    with whole_file(path) as temporary:
        temporary.write_bytes(data)
