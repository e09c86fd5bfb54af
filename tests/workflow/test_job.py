"""A job's log, its one line for bad input, and its exit status."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from tqdm import tqdm

from headrank.errors import INTERRUPTED, InputError, NotFoundError, PrerequisiteError, RunError, UsageError
from headrank.jobs.job import LogStream, job


def test_messages_go_to_the_log_and_nowhere_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "new" / "job.log"
    with job(log):
        logging.getLogger("headrank.retrieval").warning("two queries without candidates")
        print("a plain line", file=sys.stderr)
    assert log.read_text(encoding="utf-8").splitlines() == [
        "WARNING headrank.retrieval: two queries without candidates",
        "a plain line",
    ]
    assert capsys.readouterr().err == ""
    assert sys.stderr is not None
    logging.getLogger("headrank").warning("after the job")
    assert "after" not in log.read_text(encoding="utf-8")


def test_bad_input_is_one_line_in_the_log_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, job(tmp_path / "log"):
        raise InputError("runs/a.trec:3: 4 columns,\nexpected 6")
    assert caught.value.code == 5
    line = "error: runs/a.trec:3: 4 columns, expected 6\n"
    assert capsys.readouterr().err == line
    assert (tmp_path / "log").read_text(encoding="utf-8") == line


def test_another_error_keeps_its_traceback_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, job(tmp_path / "log"):
        raise KeyError("position")
    assert caught.value.code == RunError.exit_status == 6
    shown = capsys.readouterr().err
    assert shown.startswith("error: KeyError: 'position'")
    assert shown.count("\n") == 1
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" in log
    assert "test_job.py" in log


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("key k: unknown"), 2),
        (PrerequisiteError("methods: 'routehead' needs a trained router"), 3),
        (NotFoundError("run.trec: no such file"), 4),
        (InputError("run.trec:3: cut"), 5),
        (RunError("the loss is not finite"), 6),
        (FileNotFoundError(2, "No such file or directory", "none"), 4),
        (OSError(28, "No space left on device"), 6),
        (MemoryError(), 6),
        (RecursionError("too deep"), 6),
    ],
)
def test_each_kind_of_error_has_its_exit_status(
    error: Exception, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, job(tmp_path / "log"):
        raise error
    assert caught.value.code == status
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interrupt_is_told_without_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught, job(tmp_path / "log"):
        raise KeyboardInterrupt
    assert caught.value.code == INTERRUPTED == 130
    assert (tmp_path / "log").read_text(encoding="utf-8") == "interrupted\n"


def test_the_exit_status_of_a_process_is_that_of_the_stage(tmp_path: Path) -> None:
    program = (
        "from headrank.jobs.job import job\nfrom headrank.errors import InputError\n"
        f"with job({str(tmp_path / 'log')!r}):\n    raise InputError('key k: missing')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (5, "error: key k: missing\n")


def test_a_progress_bar_leaves_readable_lines(tmp_path: Path) -> None:
    with job(tmp_path / "log"):
        for step in tqdm(range(500), desc="reading", mininterval=0):
            if step == 250:
                logging.getLogger("headrank").warning("half way")
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "\r" not in text
    lines = text.splitlines()
    # The bar as it stood before the message, the message, and the bar at its end: not one line a step.
    assert len(lines) == 3
    assert "250/500" in lines[0] or "249/500" in lines[0]
    assert lines[1] == "WARNING headrank: half way"
    assert lines[2].startswith("reading: 100%")


def test_a_long_bar_is_shown_every_interval(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as file:
        stream = LogStream(file, interval=0.0)
        for step in range(3):
            stream.write(f"\rstep {step}")
        stream.write("\n")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "step 0\nstep 1\nstep 2\n"


def test_a_line_written_in_pieces_stays_one_line(tmp_path: Path) -> None:
    with job(tmp_path / "log"):
        print("loss", 0.5, "at step", 3, file=sys.stderr)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "loss 0.5 at step 3\n"
