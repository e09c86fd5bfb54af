"""One check of an installation: what was looked at, what was found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headrank.errors import NotFoundError, PrerequisiteError, RunError

Mark = Literal["ok", "warning", "failed"]
# Exit statuses of a failed check: something that the library needs is missing, something that the user named is
# missing, numbers are wrong.
PREREQUISITE = PrerequisiteError.exit_status
RESOURCE = NotFoundError.exit_status
WRONG = RunError.exit_status


@dataclass(frozen=True)
class Check:
    """found: the figure, in words. advice: what to do, where there is something to do. status: if it has failed."""

    name: str
    mark: Mark
    found: str
    advice: str = ""
    status: int = 0

    def line(self) -> str:
        """The check as a line for people."""
        advice = f": {self.advice}" if self.advice else ""
        return f"{self.mark:<8} {self.name:<20} {self.found}{advice}"


def ok(name: str, found: str) -> Check:
    """A check that found what it should."""
    return Check(name, "ok", found)


def warning(name: str, found: str, advice: str) -> Check:
    """A check that found what costs time or may surprise, but gives no wrong numbers."""
    return Check(name, "warning", found, advice)


def failed(name: str, found: str, advice: str, status: int) -> Check:
    """A check that found what makes the library fail or its numbers wrong."""
    return Check(name, "failed", found, advice, status)
