"""Tables in parquet files, read; ``atomic.write_parquet`` writes them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pandas as pd

from headrank.data.files import check_regular
from headrank.errors import InputError


def read_parquet(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table, or these columns of it; InputError for a file that is missing, cut, damaged or another table."""
    try:
        check_regular(path)
        return pd.read_parquet(path, columns=None if columns is None else list(columns))
    except InputError:
        raise
    # What pyarrow raises on a damaged file is one of these, or derived from one.
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise InputError(
            f"{path}: no readable table ({reason}); remove the file and run the study again, which makes it anew"
        ) from None
