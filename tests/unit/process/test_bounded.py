"""A call in a copy of the process: its answer comes back, and nothing else does."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from headrank.process import bounded as module
from headrank.process.bounded import Bounds, TooMuch, bounded

AMPLE = Bounds(seconds=20, memory=1 << 28, answer=1 << 20)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the copies that were made."""
    found: list[int] = []
    fork = os.fork

    def noted() -> int:
        child = fork()
        found.append(child)
        return child

    monkeypatch.setattr(os, "fork", noted)
    return found


def assert_none_is_left(copies: list[int]) -> None:
    assert copies
    for child in copies:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_the_answer_comes_back() -> None:
    assert bounded(lambda: ["text", 3, None], AMPLE) == ["text", 3, None]
    assert bounded(lambda: "\ud800\x00ü", AMPLE) == "\ud800\x00ü"
    # Longer than a pipe holds.
    assert bounded(lambda: "a" * 500_000, AMPLE) == "a" * 500_000


def test_nothing_else_changes_and_no_process_is_left(copies: list[int]) -> None:
    kept: list[int] = []
    assert bounded(lambda: kept.append(os.getpid()), AMPLE) is None
    assert kept == []
    assert_none_is_left(copies)


def fails() -> Any:
    raise ValueError


@pytest.mark.parametrize(
    "work",
    [
        lambda: 10 ** (10**9),
        lambda: "a" * 2_000_000,
        lambda: os._exit(1),
        lambda: os.kill(os.getpid(), 9),
        fails,
    ],
    ids=["computes", "writes", "ends", "breaks", "fails"],
)
def test_what_takes_too_much_or_breaks_has_no_answer(work: Any, copies: list[int]) -> None:
    with pytest.raises(TooMuch):
        bounded(work, Bounds(seconds=0.3, memory=1 << 30, answer=1 << 20))
    assert_none_is_left(copies)


def test_what_fills_the_memory_is_told() -> None:
    with pytest.raises(MemoryError):
        bounded(lambda: len(bytes(1 << 33)), AMPLE)


def test_what_waits_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch, copies: list[int]) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1)
    with pytest.raises(TooMuch):
        bounded(lambda: time.sleep(3600), Bounds(seconds=0.2, memory=1 << 28, answer=1 << 20))
    assert_none_is_left(copies)


def test_an_interrupt_leaves_no_process(monkeypatch: pytest.MonkeyPatch, copies: list[int]) -> None:
    def interrupted(*_: Any) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bounded(lambda: time.sleep(3600), AMPLE)
    assert_none_is_left(copies)
