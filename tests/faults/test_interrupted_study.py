"""A whole study that is killed, started twice, given wrong dates or a folder that cannot be written to."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Finished
from support import checkpoint
from test_damaged_results import command_of, follow
from test_full_disk import small_disk
from test_odd_places import collection
from whole_study import NAME, RESULTS, kill_group, results, snakemake, start, write_config

from headrank.cli import main

pytestmark = pytest.mark.faults

# From here on a study takes a minute; what stands before takes longer and is killed stage by stage.
LATE = ("metrics", "tables", "figures", "runs", "provenance.json", "manifest.sha256")


@pytest.fixture
def study(whole_study: Finished, tmp_path: Path) -> Path:
    """A copy that has to rank, evaluate and show again."""
    copy = Path(shutil.copytree(whole_study.directory, tmp_path / "study", symlinks=True))
    for name in LATE:
        place = copy / RESULTS / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    return copy


def jobs(group: int) -> list[int]:
    """Processes of a group that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_study_ends_as_one_that_was_left_alone(
    whole_study: Finished, study: Path, how: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(f"19 {how}")
    for _ in range(2):
        process = start(study, "--cores", "2")
        time.sleep(draw.uniform(6, 40))
        kill_group(process, how)
        process.communicate(timeout=60)
        stop = time.monotonic() + 60
        while jobs(process.pid):
            assert time.monotonic() < stop
            time.sleep(0.2)
        # Only SIGKILL leaves the lock; docs/reliability.md says what to do.
        assert snakemake(study, "--unlock").returncode == 0
    done = snakemake(study, "--cores", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    if main(["check", str(study / RESULTS)]):
        # Killed while it read a part of the features again, whose inputs had been made anew: Snakemake removes the part
        # first, and does not ask for it again, because what was gathered from it is there.
        told, found, expected = capsys.readouterr().err, results(study), results(whole_study.directory)
        assert "missing" in told
        assert found.items() <= expected.items()
        follow(command_of(told.strip()))
        assert main(["check", str(study / RESULTS)]) == 0
    assert results(study) == results(whole_study.directory)


def test_the_second_of_two_at_once_is_told_and_the_first_goes_on(whole_study: Finished, study: Path) -> None:
    first = start(study, "--cores", "2")
    try:
        stop = time.monotonic() + 60
        while not list((study / ".snakemake" / "locks").glob("*")):
            assert time.monotonic() < stop
            time.sleep(0.2)
        second = snakemake(study, "--cores", "1")
        assert second.returncode != 0
        assert "Directory cannot be locked" in second.stderr
        assert "Traceback" not in second.stderr
        _, told = first.communicate(timeout=600)
        assert first.returncode == 0, told[-3000:]
    finally:
        kill_group(first)
    assert results(study) == results(whole_study.directory)


def test_a_results_folder_that_cannot_be_written_to(
    whole_study: Finished, study: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        place = Path(shutil.copytree(study, disk / "study", symlinks=True))
        before = results(place)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = snakemake(place, "--cores", "2")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert done.returncode != 0
        assert "Read-only file system" in done.stderr
        assert results(place) == before


def date(study: Path, *seconds: float) -> None:
    """Give all results dates that lie so many seconds from now, drawn at random."""
    draw, now = random.Random(19), time.time()
    for path in sorted((study / RESULTS).rglob("*")):
        when = now + draw.choice(seconds)
        os.utime(path, (when, when), follow_symlinks=False)


def test_files_of_any_past_date_give_the_same_results_and_those_of_the_future_are_named(
    whole_study: Finished, study: Path
) -> None:
    """As after a clock was set back, or a copy without dates."""
    date(study, 0, 86400, 1e8)
    done = snakemake(study, "--cores", "2")
    assert done.returncode != 0
    assert "could indicate a clock skew problem" in done.stderr
    date(study, -1e9, -1e8, -86400, -60)
    done = snakemake(study, "--cores", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    assert results(study) == results(whole_study.directory)
    assert main(["check", str(study / RESULTS)]) == 0


def test_a_study_in_a_place_of_an_odd_name_is_the_same(tmp_path: Path) -> None:
    """Paths with braces are refused before anything runs, as Snakemake would read them as wildcards."""
    made = []
    for name in ("plain", "a 'b' \"c\" ünï 東京"):
        place = tmp_path / name
        collection(place / "data" / "c")
        (place / "data" / "c" / "qrels.trec").write_text("q 0 d1 1\nq 0 d2 0\n", encoding="utf-8")
        (place / "data" / "model").symlink_to(checkpoint("qwen3"))
        config = {
            "name": NAME,
            **{"device": "cpu", "dtype": "float32", "threads": 1, "data": str(place / "data")},
            "collections": {"c": {"source": "local", "path": "c", "run": "run.trec"}},
            "panel": ["c"],
            "methods": ["icr"],
            "backbones": {"b": {"source": "local", "path": "model"}},
        }
        write_config(place, config)
        table = str(RESULTS / "tables" / "main.csv")
        done = snakemake(place, "--cores", "2", table, LC_ALL="C", LANG="C")
        assert done.returncode == 0, done.stderr[-3000:]
        made.append({**results(place, "tables"), **results(place, "metrics"), **results(place, "runs")})
    assert made[0] == made[1]
    assert made[0]
