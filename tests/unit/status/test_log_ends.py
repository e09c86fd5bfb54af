"""How a job's log ends: failed, interrupted or neither; its last line."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrank.jobs.job import job
from headrank.status.logs import LogEnd, log_end


def test_a_failed_job_s_log_ends_with_its_error(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with pytest.raises(SystemExit), job(log):
        raise ZeroDivisionError("of nothing")
    assert log_end(log) == LogEnd("ZeroDivisionError: of nothing", "failed")
    with pytest.raises(SystemExit), job(log):
        raise KeyboardInterrupt
    assert log_end(log) == LogEnd("interrupted", "interrupted")


@pytest.mark.parametrize(
    ("text", "line", "kind"),
    [
        ("", "", "open"),
        ("INFO x: begun\nfeatures:  50%|#####     | 5/10\n\n", "features:  50%|#####     | 5/10", "open"),
        ("INFO x: begun\nerror: q.jsonl:3: not JSON\n", "error: q.jsonl:3: not JSON", "failed"),
        # An error that did not end the job.
        ("Traceback (most recent call last):\n  File x\nOSError: y\nINFO z: goes on\n", "INFO z: goes on", "open"),
        ("Traceback (most recent call last):\n  File x\nOSError: y\nrank: 1%|# | 1/9\n", "rank: 1%|# | 1/9", "open"),
        ("Traceback (most recent call last):\n  File x\nValueError: two\nlines\n", "lines", "failed"),
    ],
)  # fmt: skip
def test_only_what_ended_the_job_counts(tmp_path: Path, text: str, line: str, kind: str) -> None:
    (tmp_path / "x.log").write_text(text, encoding="utf-8")
    assert log_end(tmp_path / "x.log") == LogEnd(line, kind)


def test_a_log_that_is_long_or_missing_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"\xff" * 10_000_000 + b"\nlast\n")
    assert log_end(tmp_path / "x.log").line == "last"
    assert log_end(tmp_path / "y.log") == LogEnd("", "open")
