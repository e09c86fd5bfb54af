"""Tables in parquet and CSV files, read; ``atomic.write_parquet`` writes the former."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from headrank.data.files import check_regular
from headrank.errors import InputError, one_line, unreadable


def read_parquet(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table, or these columns of it; InputError for a file that is missing, cut, damaged or another table."""
    with _naming(path, "table", "remove the file and run the study again, which makes it anew"):
        return pd.read_parquet(path, columns=None if columns is None else list(columns))


def read_csv(path: str | os.PathLike[str], what: str, advice: str, **options: Any) -> pd.DataFrame:
    """Read a table of values between separators; options: of ``pandas.read_csv``.

    InputError for a file that is missing or no such table: ``path: no readable <what> (reason); <advice>``.
    """
    with _naming(path, what, advice):
        found: pd.DataFrame = pd.read_csv(path, **options)
    return found


@contextmanager
def _naming(path: str | os.PathLike[str], what: str, advice: str) -> Iterator[None]:
    try:
        check_regular(path)
        yield
    except InputError:
        raise
    # A damaged file may make pyarrow and pandas raise anything.
    except Exception as error:
        reason = getattr(error, "strerror", None) or one_line(error)[:120]
        raise unreadable(error)(f"{os.fspath(path)}: no readable {what} ({reason}); {advice}") from None
