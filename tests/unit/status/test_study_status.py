"""A study's status in every state that it can be in, by the files that its jobs leave."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headrank.cli import main
from headrank.data.atomic import write_parquet
from headrank.jobs.job import job
from headrank.jobs.plan import PLAN, WHOLE, Planned, keep_failure, keep_plan, process_began, read_plan
from headrank.jobs.records import FOLDER
from headrank.jobs.remake import keep_configuration
from headrank.status.lines import duration

ROOT = Path("results/s")
FEATURES = Planned("features", "logs/s/features/small/training.log", ("features/small.safetensors",), True)
FIRST = Planned("first_stage", "logs/s/first_stage.log", ("metrics/first-stage.parquet",), True)
TABLES = tuple(
    Planned("table", f"logs/s/table/{name}.log", (f"tables/{name}.csv", f"tables/{name}.md"), True)
    for name in ("main", "cost")
)
PLANNED = (FIRST, FEATURES, *TABLES)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)


def start(jobs: tuple[Planned, ...] = PLANNED, **changes: Any) -> None:
    """Start the study; the process at work is this one unless changed."""
    keep_plan(ROOT, jobs, changes.pop("asked", ()), ".snakemake/log/1.log")
    plan = read_plan(ROOT)
    assert plan is not None
    lines = (ROOT / PLAN).read_text(encoding="utf-8").splitlines(keepends=True)
    lines[0] = f"{json.dumps(asdict(replace(plan.start, **changes)))}\n"
    for place in (PLAN, *([] if plan.start.asked else [WHOLE])):
        (ROOT / place).write_text("".join(lines), encoding="utf-8")


def make(planned: Planned, error: BaseException | None = None) -> None:
    """Run a planned job."""
    outputs = [ROOT / name for name in planned.outputs]
    with job(planned.log, outputs=map(str, outputs)):
        if error:
            raise error
        for output in outputs:
            output.parent.mkdir(parents=True, exist_ok=True)
            if output == ROOT / "metrics/first-stage.parquet":
                write_parquet(output, MEASURED)
            else:
                output.write_text("made", encoding="utf-8")


MEASURED = pd.DataFrame(
    {"collection": ["dl19", "dl20"], "metric": ["nDCG@10"] * 2, "value": [0.5058, 0.4796]}
)


def fail(planned: Planned, error: BaseException) -> None:
    with pytest.raises(SystemExit):
        make(planned, error)


def begin(planned: Planned, text: str = "reading:  50%|#####     | 5/10\n") -> None:
    """Leave the job as it is while it runs, or when it was killed."""
    log = Path(planned.log)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text, encoding="utf-8")


DEAD = {"pid": 2**22 + 1, "process": 7}


def told(capsys: pytest.CaptureFixture[str], *options: str, status: int) -> list[str]:
    assert main(["status", str(ROOT), *options]) == status
    return capsys.readouterr().out.splitlines()


def test_a_running_study_tells_what_is_done_at_work_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    start()
    make(FIRST)
    begin(FEATURES)
    lines = told(capsys, status=1)
    assert lines[0].startswith("results/s: running for 0.")
    assert lines[0].endswith("s: 1 of 4 jobs done, 1 running, 2 left")
    assert lines[1].split() == [
        "first_stage",
        "1/1",
        "0.0",
        "s",
        "nDCG@10",
        "dl19",
        "0.506,",
        "dl20",
        "0.480",
    ]
    assert lines[2].startswith("running: features small/training, last words ")
    assert lines[2].endswith(" ago: logs/s/features/small/training.log")
    assert lines[3:] == ["    reading:  50%|#####     | 5/10", "left: table 2"]


def test_a_finished_study_has_nothing_left(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    for planned in PLANNED:
        make(planned)
    lines = told(capsys, status=0)
    assert lines[0] == "results/s: finished: 4 of 4 jobs done"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["first_stage", "1/1"],
        ["features", "1/1"],
        ["table", "2/2"],
    ]


def test_an_output_that_was_removed_is_left_to_make(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    for planned in PLANNED:
        make(planned)
    (ROOT / "tables/main.md").unlink()
    lines = told(capsys, status=1)
    assert lines[0] == "results/s: interrupted: 3 of 4 jobs done, 1 unfinished"


def test_a_killed_study_is_interrupted_and_its_jobs_unfinished(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    make(FIRST)
    begin(FEATURES)
    lines = told(capsys, status=1)
    assert lines[0] == "results/s: interrupted: 1 of 4 jobs done, 1 unfinished, 2 left"
    assert lines[2].startswith("unfinished: features small/training")
    assert "Start it again with the same command" in lines[-1]
    assert "--unlock" in lines[-1]


def test_ctrl_c_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    fail(FEATURES, KeyboardInterrupt())
    lines = told(capsys, status=1)
    assert lines[0] == "results/s: interrupted: 0 of 4 jobs done, 1 unfinished, 3 left"


def test_a_failed_job_is_shown_with_its_log_and_its_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    make(FIRST)
    fail(FEATURES, ValueError("numbers that are none"))
    lines = told(capsys, status=6)
    assert lines[0] == "results/s: failed: 1 of 4 jobs done, 2 left, 1 failed"
    assert lines[2].startswith("failed: features small/training, last words")
    assert lines[3] == "    ValueError: numbers that are none"
    # The rest of a study that goes on may still be at work.
    start()
    make(FIRST)
    fail(FEATURES, ValueError("numbers that are none"))
    assert told(capsys, status=6)[0].startswith("results/s: running for")


def test_a_job_that_died_without_a_word_has_failed_where_snakemake_saw_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(**DEAD)
    begin(FEATURES)
    keep_failure(ROOT)
    assert told(capsys, status=6)[0] == "results/s: failed: 0 of 4 jobs done, 3 left, 1 failed"


def test_where_no_job_s_log_says_why_snakemake_s_own_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    keep_failure(ROOT)
    lines = told(capsys, status=6)
    assert lines[0] == "results/s: failed: 0 of 4 jobs done, 4 left"
    assert ".snakemake/log/1.log" in lines[-1]


def test_a_job_of_an_earlier_start_counts_if_it_did_not_have_to_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(**DEAD)
    make(FIRST)
    fail(FEATURES, ValueError("x"))
    # It is started again: the first stage is done, features are not begun yet.
    start((replace(FIRST, needed=False), FEATURES, *TABLES))
    assert told(capsys, status=1)[0].endswith("1 of 4 jobs done, 3 left")
    # And again with another first stage: what was done before does not count.
    start()
    assert told(capsys, status=1)[0].endswith("0 of 4 jobs done, 4 left")


def test_a_study_of_another_machine_may_still_run(capsys: pytest.CaptureFixture[str]) -> None:
    start(host="far-away")
    make(FIRST)
    lines = told(capsys, status=1)
    assert lines[0] == "results/s: elsewhere (started on far-away): 1 of 4 jobs done, 3 left"
    assert "far-away" in lines[-1]


ASKED = "results/s/metrics/first-stage.parquet"


def test_a_part_of_a_study_that_was_never_started_whole_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    start((FIRST,), asked=(ASKED,), **DEAD)
    make(FIRST)
    lines = told(capsys, status=0)
    assert lines[0] == f"results/s: finished ({ASKED} asked for): 1 of 1 jobs done"
    assert lines[-1].startswith("Only this part is counted")


def test_after_a_start_of_a_part_the_whole_study_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    for planned in PLANNED:
        make(planned)
    start((FIRST,), asked=(ASKED,))
    # It has to run again.
    lines = told(capsys, status=1)
    assert lines[0].startswith("results/s: running for 0.")
    assert lines[0].endswith(": 3 of 4 jobs done, 1 left")
    assert lines[-1] == f"last start: {ASKED}: 0 of 1 jobs done, 1 left"
    make(FIRST)
    start((replace(FIRST, needed=False),), asked=(ASKED,), **DEAD)
    lines = told(capsys, status=0)
    assert lines[0] == "results/s: finished: 4 of 4 jobs done"
    assert [line.split()[0] for line in lines[1:-1]] == ["first_stage", "features", "table"]
    assert lines[-1] == f"last start: {ASKED}: 1 of 1 jobs done"
    found = json.loads("\n".join(told(capsys, "--json", status=0)))
    assert (found["asked"], found["part"], found["whole"]) == ([ASKED], {"done": 1}, True)


def test_a_part_that_is_made_leaves_the_rest_of_a_killed_study_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(**DEAD)
    begin(FEATURES)
    start((FIRST,), asked=(ASKED,), **DEAD)
    make(FIRST)
    lines = told(capsys, status=1)
    assert lines[0] == "results/s: interrupted: 1 of 4 jobs done, 1 unfinished, 2 left"
    assert lines[-1].endswith("needs a start of the whole study.")
    # What had failed before the part was asked for still has.
    fail(FEATURES, ValueError("x"))
    assert told(capsys, status=6)[0] == "results/s: failed: 1 of 4 jobs done, 2 left, 1 failed"


def test_jobs_that_only_a_part_has_count_until_the_next_start(capsys: pytest.CaptureFixture[str]) -> None:
    extra = Planned("measure", "logs/s/measure/small.log", ("bench/small.parquet",), True)
    start(**DEAD)
    for planned in PLANNED:
        make(planned)
    start((FIRST, extra), asked=("bench",), **DEAD)
    make(FIRST)
    lines = told(capsys, status=1)
    assert lines[0] == "results/s: interrupted: 4 of 5 jobs done, 1 left"
    assert lines[-2] == "last start: bench: 1 of 2 jobs done, 1 left"
    assert "--unlock" in lines[-1]
    start((FIRST,), asked=(ASKED,), **DEAD)
    make(FIRST)
    assert told(capsys, status=0)[0] == "results/s: finished: 4 of 4 jobs done"


def test_with_another_configuration_nobody_knows_the_whole_study(capsys: pytest.CaptureFixture[str]) -> None:
    keep_configuration(ROOT, {"k": 1})
    start(**DEAD)
    for planned in PLANNED:
        make(planned)
    keep_configuration(ROOT, {"k": 2})
    start((FIRST,), asked=(ASKED,), **DEAD)
    make(FIRST)
    assert told(capsys, status=0)[0] == f"results/s: finished ({ASKED} asked for): 1 of 1 jobs done"
    keep_configuration(ROOT, {"k": 1})
    start((FIRST,), asked=(ASKED,), **DEAD)
    make(FIRST)
    assert told(capsys, status=0)[0] == "results/s: finished: 4 of 4 jobs done"


def test_without_a_list_of_jobs_what_is_done_is_still_told(capsys: pytest.CaptureFixture[str]) -> None:
    make(FIRST)
    begin(FEATURES)
    fail(TABLES[0], ValueError("y"))
    lines = told(capsys, status=6)
    assert lines[0] == "results/s: unknown: 1 jobs done, 1 unfinished, 1 failed"
    assert "No list of its jobs was kept" in lines[-1]
    Path(TABLES[0].log).unlink()
    Path(FEATURES.log).unlink()
    (ROOT / "manifest.sha256").write_text("", encoding="utf-8")
    assert told(capsys, status=0)[0] == "results/s: finished: 1 of 1 jobs done"


def test_a_copied_folder_without_logs_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    start(**DEAD)
    for planned in PLANNED:
        make(planned)
    shutil.copytree(ROOT, tmp_path / "elsewhere" / "copy")
    assert main(["status", "elsewhere/copy"]) == 0
    assert capsys.readouterr().out.startswith("elsewhere/copy: finished: 4 of 4 jobs done\n")


def test_no_study_is_one_line_that_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    start()
    assert main(["status", "results/t"]) == 4
    assert capsys.readouterr().err == "error: results/t: no such folder; studies in results: s\n"
    Path("results/t").mkdir()
    assert main(["status", "results/t"]) == 4
    assert "holds no study" in capsys.readouterr().err
    shutil.rmtree(ROOT / FOLDER)
    assert main(["status", "results/t"]) == 4
    assert "studies in" not in capsys.readouterr().err


def test_damaged_files_hide_neither_the_study_nor_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    start(**DEAD)
    make(FIRST)
    make(FEATURES)
    (ROOT / "metrics/first-stage.parquet").write_bytes(b"PAR1")
    (ROOT / FOLDER / "features/small/training.json").write_text("{", encoding="utf-8")
    lines = told(capsys, status=1)
    # The number of a damaged file is left out; a job without a readable record is not done.
    assert lines[1].split() == ["first_stage", "1/1", "0.0", "s"]
    assert lines[0] == "results/s: interrupted: 1 of 4 jobs done, 1 unfinished, 2 left"
    (ROOT / PLAN).write_text("{", encoding="utf-8")
    assert main(["status", str(ROOT)]) == 5
    assert str(PLAN) in capsys.readouterr().err


def test_in_ci_only_the_state_and_failures_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    start(**DEAD)
    make(FIRST)
    begin(TABLES[0])
    assert told(capsys, status=1) == ["results/s: interrupted: 1 of 4 jobs done, 1 unfinished, 2 left"]
    fail(FEATURES, ValueError("x"))
    assert len(told(capsys, status=6)) == 3


def test_json_has_every_job_and_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    start()
    make(FIRST)
    fail(FEATURES, ValueError("x"))
    found = json.loads("\n".join(told(capsys, "--json", status=6)))
    assert found["state"] == "running"
    assert found["counts"] == {"done": 1, "running": 0, "failed": 1, "unfinished": 0, "left": 2}
    assert found["started"]["pid"] == os.getpid()
    assert found["headlines"] == {"first_stage": "nDCG@10 dl19 0.506, dl20 0.480"}
    features = next(job for job in found["jobs"] if job["rule"] == "features")
    assert (features["state"], features["line"]) == ("failed", "ValueError: x")
    assert features["log"] == FEATURES.log
    assert features["seconds"] is None
    assert main(["status", str(ROOT), "--json", "--follow"]) == 2


def test_following_prints_a_rule_when_it_is_done_and_ends_with_the_study(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start(pid=process.pid, process=process_began(process.pid))
    steps = iter([lambda: make(FIRST), lambda: make(FEATURES), lambda: [*map(make, TABLES), process.kill()]])
    monkeypatch.setattr("time.sleep", lambda _: (next(steps)(), process.poll()))
    try:
        lines = told(capsys, "--follow", status=0)
    finally:
        process.kill()
        process.communicate()
    assert [line.split()[0] for line in lines] == ["first_stage", "features", "table", "results/s:"]
    assert lines[-1] == "results/s: finished: 4 of 4 jobs done"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (38.4, "38 s"), (119.4, "119 s"), (130, "2 min"), (7199, "2 h 0 min"), (12000, "3 h 20 min")],
)  # fmt: skip
def test_durations_are_in_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
