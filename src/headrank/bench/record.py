"""A measurement on disk: every round as CSV, and next to it, as JSON, the machine and the versions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from headrank.data.atomic import whole_file, write_json
from headrank.data.streams import is_stream
from headrank.provenance.machine import machine
from headrank.provenance.software import software


def write_rounds(rounds: pd.DataFrame, csv: str | Path, about: str | Path) -> None:
    """Write both, each whole or not at all; without a file for the rounds there is none next to it."""
    with whole_file(csv) as temporary:
        rounds.to_csv(temporary, index=False)
    if not is_stream(Path(csv)):
        write_json(about, {"machine": machine(), **software()})
