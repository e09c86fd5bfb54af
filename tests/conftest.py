"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many bad inputs of each kind of file were tried, and how many of them ended as they should."""
    tried: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            folder, _, name = report.nodeid.split("::")[0].rpartition("/")
            if folder == "tests/bad_input" and report.when == "call":
                kind = name.removeprefix("test_").removesuffix(".py").removeprefix("bad_").replace("_", " ")
                made = "by hand" if "[" in report.nodeid and "any_" not in report.nodeid else "properties"
                tried[f"{kind}, {made}"] += 1
                held[f"{kind}, {made}"] += outcome == "passed"
    if tried:
        terminalreporter.section("bad input")
        for kind in sorted(tried):
            terminalreporter.write_line(f"{kind}: {held[kind]} of {tried[kind]}")
        by_hand = sum(count for kind, count in held.items() if kind.endswith("by hand"))
        terminalreporter.write_line(f"refused in one line of its kind, by hand: {by_hand}")
