"""The kept list of a start's jobs: what is read back, whether its process still runs, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from headrank.errors import InputError
from headrank.jobs.plan import (
    PLAN,
    WHOLE,
    Planned,
    has_failed,
    is_at_work,
    keep_failure,
    keep_plan,
    process_began,
    read_plan,
    read_whole_plan,
)
from headrank.jobs.remake import keep_configuration

JOBS = (
    Planned("features", "logs/s/features/m.log", ("features/m.safetensors",), True),
    Planned("table", "logs/s/table/main.log", ("tables/main.csv", "tables/main.md"), False),
)


def test_a_plan_is_read_back_with_the_process_that_wrote_it(tmp_path: Path) -> None:
    keep_plan(tmp_path, JOBS, ["results/s/tables/main.csv"], str(Path("messages.log").resolve()))
    plan = read_plan(tmp_path)
    assert plan is not None
    assert plan.jobs == JOBS
    assert (plan.start.host, plan.start.pid) == (socket.gethostname(), os.getpid())
    assert (plan.start.asked, plan.start.messages) == (("results/s/tables/main.csv",), "messages.log")


def test_a_folder_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None


def test_a_plan_of_the_whole_study_stays_while_parts_of_it_are_asked_for(tmp_path: Path) -> None:
    keep_configuration(tmp_path, {"k": 1})
    keep_plan(tmp_path, JOBS[:1], ["a"], "m.log")
    first = read_plan(tmp_path)
    assert first is not None
    assert read_whole_plan(tmp_path, first.start) is None
    keep_plan(tmp_path, JOBS, [], "m.log")
    for asked in (["a"], ["b"]):
        keep_plan(tmp_path, JOBS[:1], asked, "m.log")
    part = read_plan(tmp_path)
    assert part is not None
    assert part.jobs == JOBS[:1]
    whole = read_whole_plan(tmp_path, part.start)
    assert whole is not None
    assert (whole.jobs, whole.start.asked) == (JOBS, ())
    # Another configuration may have other jobs.
    keep_configuration(tmp_path, {"k": 2})
    keep_plan(tmp_path, JOBS[:1], ["a"], "m.log")
    other = read_plan(tmp_path)
    assert other is not None
    assert read_whole_plan(tmp_path, other.start) is None


def test_a_process_is_at_work_until_it_ends(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    keep_plan(tmp_path, JOBS, [], "m.log")
    plan = read_plan(tmp_path)
    assert plan is not None
    start = replace(plan.start, pid=process.pid, process=process_began(process.pid))
    assert is_at_work(start)
    # The system has given the number to another process since.
    assert not is_at_work(replace(start, process=start.process - 1))
    process.kill()
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pass
    # It is dead, although nobody has asked for its exit status.
    assert not is_at_work(start)
    process.communicate()
    assert not is_at_work(start)
    assert is_at_work(replace(start, host="another")) is None


def test_a_failure_is_that_of_one_start(tmp_path: Path) -> None:
    keep_plan(tmp_path, JOBS, [], "m.log")
    first = read_plan(tmp_path)
    assert first is not None
    assert not has_failed(tmp_path, first.start)
    keep_failure(tmp_path)
    assert has_failed(tmp_path, first.start)
    keep_plan(tmp_path, JOBS, [], "m.log")
    second = read_plan(tmp_path)
    assert second is not None
    assert not has_failed(tmp_path, second.start)


def test_a_failure_that_cannot_be_written_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / PLAN).parent.mkdir()
    (tmp_path / PLAN).write_text("damaged", encoding="utf-8")
    keep_failure(tmp_path)
    keep_failure(tmp_path / "missing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("{\n", "Expecting"),
        ('{"began": 1}\n', "start.host: missing"),
        ('{"began": -1, "host": "h", "pid": 1, "process": 1}\n', "at least 0"),
        ('{"began": 1, "host": "h", "pid": 1, "process": 1}\n{"rule": "x"}\n', "job.log: missing"),
    ],
)
def test_a_damaged_plan_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / PLAN).parent.mkdir()
    (tmp_path / PLAN).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="no readable list of jobs") as caught:
        read_plan(tmp_path)
    assert said in str(caught.value)
    assert str(tmp_path / PLAN) in str(caught.value)
    assert "\n" not in str(caught.value)
    keep_plan(tmp_path, JOBS, ["a"], "m.log")
    part = read_plan(tmp_path)
    assert part is not None
    (tmp_path / WHOLE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="no readable list of jobs"):
        read_whole_plan(tmp_path, part.start)


def test_a_line_of_the_plan_is_one_json_object(tmp_path: Path) -> None:
    keep_plan(tmp_path, JOBS, [], "m.log")
    lines = (tmp_path / PLAN).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line).get("rule") for line in lines] == [None, "features", "table"]
