"""Every call to the model, stored on disk as compressed JSON lines, so that any answer can be read later."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd

from headrank.data.atomic import whole_file
from headrank.data.files import open_regular
from headrank.data.json_files import parse_json
from headrank.errors import InputError

CALL_COLUMNS = [
    "qid",
    "call",
    "documents",
    "prompt_tokens",
    "new_tokens",
    "answer",
    "complete",
    "well_formed",
]


def write_calls(path: str | Path, calls: pd.DataFrame) -> None:
    """One JSON object per call, gzip-compressed; the same calls give the same bytes."""
    lines = (json.dumps(record, ensure_ascii=False) for record in calls.to_dict("records"))
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    with whole_file(path) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0))


def read_calls(path: str | Path) -> pd.DataFrame:
    """What ``write_calls`` wrote; InputError for anything else."""
    try:
        with open_regular(path) as raw, gzip.open(raw, "rt", encoding="utf-8") as stream:
            records = [parse_json(line) for line in stream]
        return pd.DataFrame(records, columns=CALL_COLUMNS)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: no readable calls ({error})") from error
