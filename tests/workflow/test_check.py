"""``headrank check`` cannot be talked round: a false file is blessed by no rerun, and the command it names mends it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY, Finished, configuration, snakemake

from headrank.cli import main
from headrank.provenance.manifest import check_manifest

pytestmark = pytest.mark.slow

MINI = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
FEATURES, TABLE, METRICS = "features/small/training.safetensors", "tables/main.csv", "metrics/main.parquet"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of ICR and CoRe on a few queries."""
    directory = tmp_path_factory.mktemp("a study")
    few = {
        name: MINI["collections"][name]["synthetic"] | {"queries": 8} for name in ("training", "in-domain")
    }
    config = {key: MINI[key] for key in ("device", "dtype", "threads", "headrank")}
    config |= {
        "name": "few",
        "collections": {name: {"source": "synthetic", "synthetic": spec} for name, spec in few.items()},
        "train_on": ["training"],
        "panel": ["in-domain"],
        "backbones": {"small": MINI["backbones"]["small"]},
        "methods": ["icr", "core"],
    }
    (directory / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    done = run(directory)
    assert done.code == 0, done.err[-4000:]
    return directory


def run(study: Path, *more: str) -> Finished:
    return snakemake("--cores", "2", *more, "--configfile", study / "study.yaml", directory=study)


def checked(results: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """What check prints of a folder that is not sound, and the command that it names."""
    capsys.readouterr()
    assert main(["check", str(results)]) == 5
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    return told.out.splitlines(), line.split("make anew: ")[1]


def follow(command: str) -> Finished:
    """Run a command as it was printed."""
    first, *words = shlex.split(command)
    assert first == "snakemake"
    done = subprocess.run(
        [sys.executable, "-m", first, *words], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return Finished(done.returncode, done.stdout + done.stderr, done.stderr)


def flip(path: Path) -> None:
    """Change one bit of a file and keep its date."""
    there = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns))


def test_every_file_of_a_finished_study_is_some_job_s(study: Path) -> None:
    assert check_manifest(study / "results" / "few").sound


def test_an_edited_table_is_refused_by_a_rerun_and_made_anew_by_the_command(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = study / "results" / "few"
    before = (results / TABLE).read_text(encoding="utf-8")
    (results / TABLE).write_text(re.sub(r"0\.\d", "0.9", before, count=1), encoding="utf-8")
    assert checked(results, capsys)[0] == [f"changed: {TABLE}"]
    refused = run(study)
    assert refused.code != 0
    assert any(f"results/few/{TABLE}: not as its job made it" in line for line in refused.errors)
    told, command = checked(results, capsys)
    assert f"changed: {TABLE}" in told
    done = follow(command)
    assert not {"features", "frozen", "evaluate"} & set(done.jobs)
    assert (results / TABLE).read_text(encoding="utf-8") == before
    assert main(["check", str(results)]) == 0
    assert run(study, "-n").code == 0


def test_a_flipped_byte_under_its_old_date_is_made_anew_by_one_job(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = study / "results" / "few"
    flip(results / FEATURES)
    assert "Nothing to be done" in run(study, "-n").out
    told, command = checked(results, capsys)
    assert told == [f"changed: {FEATURES}"]
    assert follow(command).jobs == {"features": 1, "total": 1}
    assert main(["check", str(results)]) == 0


def test_no_job_reads_a_file_that_changed_after_it_was_made(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = study / "results" / "few"
    flip(results / METRICS)
    refused = run(study, "--force", f"results/few/{TABLE}")
    assert any(f"results/few/{METRICS}: not as its job made it" in line for line in refused.errors)
    told, command = checked(results, capsys)
    assert {f"changed: {METRICS}", f"missing: {TABLE}"} <= set(told)
    assert {"evaluate", "table"} <= set(follow(command).jobs)
    assert main(["check", str(results)]) == 0


def test_a_deleted_folder_is_made_anew_though_nothing_is_to_be_done(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = study / "results" / "few"
    run(study)
    shutil.rmtree(results / "heads" / "small")
    assert "Nothing to be done" in run(study, "-n").out
    told, command = checked(results, capsys)
    assert told == ["missing: heads/small/core.json"]
    assert follow(command).jobs == {"detect": 1, "total": 1}
    assert main(["check", str(results)]) == 0


def test_a_false_manifest_and_files_of_no_job_are_found(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = study / "results" / "few"
    manifest = results / "manifest.sha256"
    before = manifest.read_text(encoding="utf-8")
    manifest.write_text(before.replace(before[:64], "0" * 64, 1), encoding="utf-8")
    (results / "tables" / "mine.csv").write_text("0.9\n", encoding="utf-8")
    told, command = checked(results, capsys)
    assert "extra: tables/mine.csv" in told
    follow(command)
    capsys.readouterr()
    assert main(["check", str(results)]) == 5
    assert capsys.readouterr().err.endswith("(1 extra); remove what is extra\n")
    (results / "tables" / "mine.csv").unlink()
    assert main(["check", str(results)]) == 0
