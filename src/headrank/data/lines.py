"""The lines of a text file, plain or gzip, also from a pipe; damage is named with the line at which it begins."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from functools import partial

from headrank.data.files import MIB, open_regular
from headrank.errors import InputError, NotFoundError

# Bytes of a line: far more than any passage has, and what a damaged or compressed file may hold without a line end.
_LONGEST = 16 * MIB
# Blank lines in a row. A few kilobytes of gzip can hold billions of them, which would be read for minutes and mean nothing.
_MOST_BLANK = 1_000_000
_GZIP_MAGIC = b"\x1f\x8b"


def open_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line with its line feed) of a UTF-8 text file, plain or gzip.

    Raises InputError when the file is missing, is a directory, a named pipe or a device, is cut or damaged gzip, has a
    line of more than 16 MiB or more than a million blank lines in a row, or is not UTF-8.
    """
    number = 0
    blank = 0
    try:
        with open_regular(path, pipes=True) as raw:
            # Only looked at, not read: a pipe cannot be wound back.
            zipped = raw.peek(2).startswith(_GZIP_MAGIC)
            stream = gzip.GzipFile(fileobj=raw) if zipped else raw
            for number, line in enumerate(iter(partial(stream.readline, _LONGEST), b""), start=1):
                if len(line) == _LONGEST and not line.endswith(b"\n"):
                    raise InputError(
                        f"{path}:{number}: a line of more than {_LONGEST // MIB} MiB; check the file"
                    )
                blank = blank + 1 if line.isspace() else 0
                if blank > _MOST_BLANK:
                    raise InputError(f"{path}:{number}: more than a million blank lines in a row; check the file")
                text = line.decode("utf-8")
                yield number, text.removeprefix("\ufeff") if number == 1 else text
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise NotFoundError(f"{path}: is a directory, expected a file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}:{number}: not UTF-8 text; convert the file to UTF-8") from None
    except EOFError:
        raise InputError(
            f"{path}:{number + 1}: unexpected end of the compressed file; fetch or make it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}:{number + 1}: damaged gzip ({error}); fetch or make it again") from None
    except PermissionError:
        raise NotFoundError(f"{path}: no permission to read") from None
