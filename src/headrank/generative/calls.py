"""Every call to the model, stored on disk as compressed JSON lines, so that any answer can be read later."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd

from headrank.data.atomic import whole_file
from headrank.data.json_files import parse_json
from headrank.data.lines import open_lines
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
    records = []
    for number, line in open_lines(path):
        try:
            record = parse_json(line)
        except ValueError as error:
            raise InputError(f"{path}:{number}: no readable call ({error})") from error
        if not isinstance(record, dict):
            raise InputError(f"{path}:{number}: no readable call (not a JSON object)")
        records.append(record)
    return pd.DataFrame(records, columns=CALL_COLUMNS)
