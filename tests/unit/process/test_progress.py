"""One bar for a whole job: what it counts, and what a log keeps of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from headrank.jobs.job import job
from headrank.process.progress import count_as_done, counted, progress, whole_job


def test_parts_count_on_the_bar_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    with whole_job(7, "job", "query") as bar:
        for _ in range(2):
            assert list(counted("abc", 3, "part", "query")) == ["a", "b", "c"]
        with progress(9, "part", "query") as own:
            assert own is bar
            own.update()
        assert bar.n == bar.total == 7
    shown = capsys.readouterr().err
    assert "job" in shown
    assert "part" not in shown


def test_an_item_counts_once_it_is_done() -> None:
    with whole_job(2, "job", "list") as bar:
        seen = [bar.n for _ in counted("ab", 2, "part", "list")]
        assert seen == [0, 1]
        assert bar.n == 2


def test_what_was_done_before_says_nothing_of_the_rate() -> None:
    with whole_job(1000, "job", "list") as bar:
        count_as_done(600)
        for _ in range(3):
            time.sleep(0.15)
            bar.update()
        assert (bar.n, bar.initial) == (603, 600)
        assert bar.format_dict["rate"] < 7
    # Without a job there is nothing to count on.
    count_as_done(3)


def test_a_part_alone_has_its_own_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(counted("ab", 2, "features", "list")) == ["a", "b"]
    assert "features" in capsys.readouterr().err
    assert list(counted("a", 1, "rerank", "query", disable=True)) == ["a"]
    assert capsys.readouterr().err == ""


def test_a_bar_that_was_left_is_no_longer_counted_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="stop"), whole_job(2, "job", "list"):
        raise ValueError("stop")
    with progress(1, "part", "list") as bar:
        bar.update()
    assert "part" in capsys.readouterr().err


def test_a_log_holds_lines_and_no_codes(tmp_path: Path) -> None:
    with job(tmp_path / "log"):
        with whole_job(64, "job", "list"):
            for _ in range(4):
                list(counted(range(16), 16, "block", "list"))
        # Bars of others, one within another: they move the cursor up and down.
        print("\x1b[1mouter\x1b[0m\n\x1b[A\n\n", file=sys.stderr)
    log = (tmp_path / "log").read_text("utf-8")
    assert "\x1b" not in log
    assert "\r" not in log
    lines = log.splitlines()
    assert all(line.strip() for line in lines)
    assert [line.split(":")[0] for line in lines] == ["job", "outer"]
    assert "64/64" in lines[0]
