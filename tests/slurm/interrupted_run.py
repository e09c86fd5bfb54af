"""A study through Slurm whose controller is killed half-way: cleaned up after and resumed, it ends as a local run does.

tests/slurm/run.sh starts the cluster and then this; by its name, ordinary runs of pytest do not collect it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = Path(os.environ.get("HEADRANK_SLURM_STUDY", REPOSITORY / "config" / "mini.yaml"))
STUDY = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
RESULTS = Path("results") / STUDY["name"]
# The directory of the cluster, where run.sh finds which processes to end should this one be killed.
NOTES = Path(os.environ["HEADRANK_SLURM_STATE"])
# Seconds for one run of the study. Nothing here waits without a limit: a run that hangs is killed.
LIMIT = 2400
# Kept near the defaults of the profile except for waiting times: file system and controller are one machine.
HURRY = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "20")
# Rules that are not worth a submission, so that they run beside the controller.
LOCAL = {
    "head_map",
    "routes",
    "curves",
    "query_curve",
    "cost",
    "formatting",
    "timing",
    "table",
    "figure",
    "all",
}


@dataclass(frozen=True)
class Job:
    """A job as Snakemake's log announces it."""

    rule: str
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Log:
    """What Snakemake wrote in one run."""

    text: str

    @property
    def jobs(self) -> dict[int, Job]:
        """Started jobs by their number; those of a group stand further to the right."""
        found = {}
        for block in re.finditer(r"^( *)(?:local)?rule (\w+):\n((?:\1    .*\n)+)", self.text, re.MULTILINE):
            fields = dict(re.findall(r"^ *(\w+): (.*)$", block[3], re.MULTILINE))
            outputs = fields.get("output", "")
            found[int(fields["jobid"])] = Job(block[2], tuple(outputs.split(", ")) if outputs else ())
        return found

    def rules(self, start: str) -> list[str]:
        """Rules of the jobs whose announcements begin so."""
        return re.findall(rf"^{start}(\w+):$", self.text, re.MULTILINE)

    @property
    def finished(self) -> list[int]:
        return [int(number) for number in re.findall(r"^Finished jobid: (\d+)", self.text, re.MULTILINE)]

    @property
    def outputs(self) -> set[str]:
        """What finished jobs made."""
        return {path for number in self.finished for path in self.jobs[number].outputs}

    @property
    def steps(self) -> tuple[int, int]:
        """Jobs done and jobs in all."""
        return max(
            (
                (int(done), int(total))
                for done, total in re.findall(r"^(\d+) of (\d+) steps", self.text, re.M)
            ),
            default=(0, 0),
        )

    @property
    def submitted(self) -> dict[str, str]:
        """Slurm's number -> Snakemake's, which for a group is its name."""
        pattern = r"^Job (\S+) has been submitted with SLURM jobid (\d+)"
        return {slurm: number for number, slurm in re.findall(pattern, self.text, re.MULTILINE)}

    @property
    def name(self) -> str:
        """Name of all Slurm jobs of the run."""
        return re.findall(r"^SLURM run ID: (\S+)", self.text, re.MULTILINE)[-1]


@dataclass(frozen=True)
class History:
    """One study in two runs: what was there when the first was killed, and what the second did.

    unseen: outputs of jobs that came to their end, but not before the eyes of the controller.
    """

    directory: Path
    killed: Log
    orphans: list[str]
    unseen: set[str]
    locked: bool
    before: dict[str, tuple[int, int]]
    resumed: Log


def command(directory: Path, *arguments: str | Path, configuration: Path = CONFIGURATION) -> list[str]:
    words = [sys.executable, "-m", "snakemake", *arguments, "--directory", directory]
    return [str(word) for word in [*words, "--configfile", configuration]]


def start(log: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """Start Snakemake as the leader of a process group, by which its children are found when it is gone."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            words, cwd=REPOSITORY, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    (NOTES / f"group-{process.pid}").touch()
    return process


def kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for note in NOTES.glob(f"group-{process.pid}"):
        note.unlink()


def run(log: Path, words: list[str]) -> Log:
    """Run Snakemake to its end, within the limit."""
    process = start(log, words)
    try:
        code = process.wait(timeout=LIMIT)
    finally:
        kill_group(process)
    text = log.read_text(encoding="utf-8")
    assert code == 0, f"exit status {code}; {log} ends with\n{text[-4000:]}"
    return Log(text)


def slurm(*words: str) -> str:
    """What a command of Slurm prints."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def queued(name: str, *states: str) -> list[str]:
    """Numbers of the jobs of a run that are in the queue."""
    chosen = [f"--states={','.join(states)}"] if states else []
    return slurm("squeue", "--noheader", "--format=%i", f"--name={name}", *chosen).split()


def completed(state: Path) -> dict[str, dict[str, str]]:
    """Slurm's own record of ended jobs, by number."""
    lines = (state / "jobs.txt").read_text(encoding="utf-8").splitlines()
    records = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    return {record["JobId"]: record for record in records}


def stamps(directory: Path, paths: list[str]) -> dict[str, tuple[int, int]]:
    """Identity and time of last change of files, and of the files in directories."""
    files: list[Path] = []
    for path in (directory / name for name in paths):
        files += [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return {str(file): (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


@pytest.fixture(scope="session")
def state() -> Path:
    """The directory of the cluster that run.sh has started, with its record of ended jobs."""
    return NOTES


@pytest.fixture(scope="session")
def local(state: Path) -> Path:
    """The directory of a local run: one that there is, or else one made now."""
    if given := os.environ.get("HEADRANK_LOCAL_RUN"):
        return Path(given)
    directory = state / "local"
    run(state / "local.log", command(directory, "--cores", "all"))
    return directory


def run_until_half(state: Path, directory: Path) -> tuple[Log, list[str]]:
    """Run the study and kill its controller when half of the jobs are done and others are running."""
    log = state / "killed.log"
    process = start(log, command(directory, "--workflow-profile", "profiles/slurm", *HURRY))
    try:
        stop = time.monotonic() + LIMIT
        while True:
            now = Log(log.read_text(encoding="utf-8"))
            done, total = now.steps
            assert process.poll() is None, f"ended too early:\n{now.text[-4000:]}"
            assert time.monotonic() < stop, f"{done} of {total} jobs in {LIMIT} s:\n{now.text[-4000:]}"
            if done and 2 * done >= total and queued(now.name, "RUNNING"):
                process.kill()
                process.wait()
                break
            time.sleep(0.5)
    finally:
        kill_group(process)
    last = Log(log.read_text(encoding="utf-8"))
    return last, queued(last.name)


def clear_up(directory: Path, name: str) -> None:
    """What docs/cluster.md tells a user to do: cancel what is left, wait until it is gone, release the lock."""
    slurm("scancel", f"--name={name}")
    stop = time.monotonic() + 120
    while queued(name):
        assert time.monotonic() < stop, f"jobs of {name} cannot be cancelled: {queued(name)}"
        time.sleep(0.5)
    subprocess.run(command(directory, "--unlock"), cwd=REPOSITORY, check=True, timeout=300)


def ended(directory: Path) -> set[str]:
    """Outputs of the jobs that say in their own logs that they ended; the controller deletes logs that it has seen."""
    logs = (directory / ".snakemake" / "slurm_logs").rglob("*.log")
    return set().union(*(Log(log.read_text(encoding="utf-8")).outputs for log in logs))


@pytest.fixture(scope="session")
def history(state: Path, local: Path) -> History:
    """The study, killed half-way and resumed."""
    directory = state / "study"
    killed, orphans = run_until_half(state, directory)
    locked = any((directory / ".snakemake" / "locks").iterdir())
    clear_up(directory, killed.name)
    unseen = ended(directory) - killed.outputs
    before = stamps(directory, sorted(killed.outputs | unseen))
    words = command(directory, "--workflow-profile", "profiles/slurm", *HURRY)
    return History(directory, killed, orphans, unseen, locked, before, run(state / "resumed.log", words))


@pytest.fixture(scope="session", autouse=True)
def logs_of_a_failure(state: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """The ends of the daemons' logs, where something failed."""
    yield
    if request.session.testsfailed:
        for log in sorted(state.glob("slurm*.log")):
            print(f"{log}:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def test_the_controller_was_killed_half_way_with_jobs_in_the_queue(history: History) -> None:
    done, total = history.killed.steps
    assert total / 2 <= done < total
    assert history.orphans
    assert history.locked


def test_jobs_that_were_finished_are_not_run_again(history: History) -> None:
    # The kill may have come before a job's end was counted.
    done, total = len(history.killed.finished), history.killed.steps[1]
    # Jobs that ended by themselves, before they could be cancelled or as the first steps of a group that was.
    finished = history.killed.outputs | history.unseen
    unseen = [job for job in history.killed.jobs.values() if history.unseen & {*job.outputs}]
    left = total - done - len(unseen)
    assert history.resumed.steps == (left, left)
    assert finished
    assert not finished & {path for job in history.resumed.jobs.values() for path in job.outputs}
    assert len(history.before) >= len(finished)
    assert stamps(history.directory, sorted(finished)) == history.before


def test_every_job_but_the_light_ones_went_through_slurm(state: Path, history: History) -> None:
    records = completed(state)
    for log in (history.killed, history.resumed):
        assert log.submitted
        assert {records[slurm]["Name"] for slurm in log.submitted} == {log.name}
    # One may have come to its end before it was cancelled.
    ends = {records[slurm]["JobState"] for slurm in history.orphans}
    assert "CANCELLED" in ends <= {"CANCELLED", "COMPLETED"}
    assert {records[slurm]["JobState"] for slurm in history.resumed.submitted} == {"COMPLETED"}
    # Jobs are announced as they are started: light ones beside the controller, others alone or within a group.
    light = {*history.killed.rules("localrule "), *history.resumed.rules("localrule ")}
    assert light == LOCAL
    for log in (history.killed, history.resumed):
        assert not LOCAL & {*log.rules("rule "), *log.rules("    rule ")}
        sent = len(log.rules("rule ")) + len(re.findall(r"Group job \S+ \(jobs in", log.text))
        # The kill may have come between the last announcements and their submission.
        assert len(log.submitted) == sent or (log is history.killed and len(log.submitted) < sent)


def test_what_a_rule_asks_for_is_what_slurm_was_asked_for(state: Path, history: History) -> None:
    records = completed(state)
    jobs = {**history.killed.jobs, **history.resumed.jobs}
    seen = set()
    for log in (history.killed, history.resumed):
        for slurm_id, number in log.submitted.items():
            if number.isdigit() and (rule := log.jobs[int(number)].rule) in ("train_1", "detect"):
                asked = {"train_1": ("mem=2000M", "240"), "detect": ("mem=8000M", "60")}[rule]
                assert asked[0] in records[slurm_id]["Tres"].split(",")
                assert records[slurm_id]["TimeLimit"] == asked[1]
                seen.add(rule)
    assert seen == {"train_1", "detect"} & {job.rule for job in jobs.values()} != set()


@pytest.mark.parametrize(
    "pattern", ["tables/*.csv", "tables/*.md", "tables/*.tex", "figures/*", "runs/*/*/*.trec"]
)
def test_results_are_those_of_a_local_run_byte_for_byte(local: Path, history: History, pattern: str) -> None:
    here, there = (
        {str(p.relative_to(place / RESULTS)): p.read_bytes() for p in (place / RESULTS).glob(pattern)}
        for place in (local, history.directory)
    )
    assert set(here) == set(there) != set()
    # Measured times differ from run to run.
    timed = ("/timing.", "/frontier.")
    differing = [
        name for name in sorted(here) if here[name] != there[name] and not any(t in name for t in timed)
    ]
    assert not differing


def test_jobs_that_ask_for_a_gpu_take_turns_on_it(state: Path, history: History, tmp_path: Path) -> None:
    """Two jobs of one GPU each, where there are cores for both and one GPU."""
    configuration = tmp_path / "gpu.yaml"
    configuration.write_text(yaml.safe_dump({**STUDY, "device": "auto"}, sort_keys=False), encoding="utf-8")
    targets = [RESULTS / "features" / name / "training.safetensors" for name in list(STUDY["backbones"])[:2]]
    # The profile's groups are of other rules; another device is another parameter, so the jobs are run again.
    words = [*targets, "--workflow-profile", "profiles/slurm", *HURRY]
    log = run(state / "gpu.log", command(history.directory, *words, configuration=configuration))
    assert sorted(job.rule for job in log.jobs.values()) == ["features"] * len(targets)
    asked = slurm("squeue", "--noheader", "--states=all", "--Format=jobid:20,tres-per-job:40").splitlines()
    gpus = dict(line.split() for line in asked)
    assert {gpus[slurm_id] for slurm_id in log.submitted} == {"gres:gpu:1"}
    times = sorted((completed(state)[s]["StartTime"], completed(state)[s]["EndTime"]) for s in log.submitted)
    assert len(times) == len(targets)
    assert all(end <= start for (_, end), (start, _) in pairwise(times))
