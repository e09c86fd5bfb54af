"""``headrank status`` on what real runs of Snakemake leave: finished, failed and killed ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY, configuration, snakemake
from small_study import write_study

from headrank.cli import main
from headrank.jobs.plan import PLAN

pytestmark = pytest.mark.slow

ROOT = Path("results/fetched")
QUERIES = [f"{ROOT}/collections/{name}/queries.jsonl" for name in ("c", "t")]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of Snakemake that export the queries of two collections of two each."""
    mini = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
    path = write_study(tmp_path, mini["backbones"]["small"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    return ["--cores", "1", "--configfile", str(path), "--directory", str(tmp_path), "--", *QUERIES]


def told(capsys: pytest.CaptureFixture[str], status: int) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["status", str(ROOT), "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_a_run_that_ended_is_finished_and_stays_so(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data")
    assert snakemake(*study, HEADRANK_DATA=data).code == 0
    found = told(capsys, 0)
    assert (found["state"], found["counts"]["done"], found["asked"]) == ("finished", 2, QUERIES)
    assert found["headlines"] == {"collection": "4 queries"}
    assert all(job["seconds"] > 0 for job in found["jobs"])
    # A start with nothing to do, a dry run and an unfinished other target leave what is known as it is.
    assert "Nothing to be done" in snakemake(*study, HEADRANK_DATA=data).out
    assert snakemake("-n", *study[:-2], "all", HEADRANK_DATA=data).code == 0
    assert told(capsys, 0) == found
    # Whatever else the study has, no start has planned it.
    assert (found["whole"], found["part"]) == (False, {"done": 2})


def test_a_start_of_a_part_leaves_the_whole_study_in_view(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data")
    (tmp_path / "data" / "c" / "queries.jsonl").rename(tmp_path / "kept")
    (tmp_path / "data" / "c" / "queries.jsonl").write_text("{\n", encoding="utf-8")
    assert snakemake(*study[:-3], HEADRANK_DATA=data).code == 1
    whole = told(capsys, 6)
    assert (whole["asked"], whole["part"], whole["whole"]) == ([], None, True)
    (tmp_path / "kept").replace(tmp_path / "data" / "c" / "queries.jsonl")
    assert snakemake(*study, HEADRANK_DATA=data).code == 0
    found = told(capsys, 1)
    assert (found["state"], found["asked"], found["part"]) == ("interrupted", QUERIES, {"done": 2})
    assert [job["log"] for job in found["jobs"]] == [job["log"] for job in whole["jobs"]]
    assert done(found) == done(whole) | {f"logs/fetched/collection/{name}.log" for name in ("c", "t")}
    # Cut short, the graph of the default target is a part, too.
    assert snakemake(*study[:-3], "--until", "passages", HEADRANK_DATA=data).code == 0
    cut = told(capsys, 1)
    assert cut["asked"] == ["--until passages"]
    assert len(cut["jobs"]) == len(whole["jobs"])
    assert done(cut) > done(found)


def done(found: dict[str, Any]) -> set[str]:
    return {job["log"] for job in found["jobs"] if job["state"] == "done"}


def test_a_failed_run_names_the_job_that_failed(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "c" / "queries.jsonl").write_text("{\n", encoding="utf-8")
    assert snakemake("--keep-going", *study, HEADRANK_DATA=str(tmp_path / "data")).code == 1
    found = told(capsys, 6)
    assert (found["state"], found["counts"]["done"], found["counts"]["failed"]) == ("failed", 1, 1)
    failed = next(job for job in found["jobs"] if job["state"] == "failed")
    assert (failed["rule"], failed["name"]) == ("collection", "c")
    assert failed["log"] == "logs/fetched/collection/c.log"
    assert failed["line"].startswith("error: ")
    assert "c/queries.jsonl:1" in failed["line"]
    assert Path(found["messages"]).is_file()


def test_a_killed_run_is_running_before_and_interrupted_after(
    study: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {**os.environ, "HEADRANK_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-m", "snakemake", *study]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=variables, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        stop = time.monotonic() + 120
        while not (ROOT / PLAN).is_file():
            assert process.poll() is None
            assert time.monotonic() < stop
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGSTOP)
        assert told(capsys, 1)["state"] == "running"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    found = told(capsys, 1)
    assert found["state"] == "interrupted"
    assert found["counts"]["done"] < 2
    # The lock is still there: nothing needed it.
    assert list((tmp_path / ".snakemake" / "locks").iterdir())
