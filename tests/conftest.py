"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory with the real collections; a test that asks for it skips where it is absent."""
    directory = Path(os.environ.get("HEADRANK_DATA") or REPOSITORY / ".." / "shared" / "data")
    if not (directory / "dl19" / "qrels.trec").is_file():
        pytest.skip(f"no real collections in {directory}: set HEADRANK_DATA to their directory")
    return directory


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """What waits or does not end fails, rather than stopping all tests."""

    def stop(*_: object) -> None:
        raise TimeoutError("it does not end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
