"""Damaged files of a results folder: each is found, and the one command that is named makes exactly these anew."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from conftest import Finished
from whole_study import NAME, REPOSITORY, RESULTS, is_timed, results

from headrank.cli import main
from headrank.data.digests import files_under
from headrank.jobs.records import FOLDER, Records
from headrank.provenance.manifest import NAME as MANIFEST
from headrank.provenance.manifest import advice, check_manifest

pytestmark = pytest.mark.faults


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def emptied(_: bytes) -> bytes:
    return b""


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (truncated, flipped, emptied)


def damage(path: Path, how: Callable[[bytes], bytes]) -> None:
    """Change a file under its old date, which is what a bad disk does."""
    there, content = path.stat(), path.read_bytes()
    path.write_bytes(how(content))
    assert path.read_bytes() != content, path
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns))


def kinds(root: Path) -> list[str]:
    """A file of each kind: the first that is not empty of each folder and ending, or of each folder and name."""
    found: dict[tuple[str, ...], str] = {}
    for name in files_under(root):
        path = PurePosixPath(name)
        if (root / name).stat().st_size and not name.startswith("benchmarks/"):
            inner = path.name if path.parts[0] in ("indexes", "backbones", "adapters") else path.suffix
            found.setdefault((path.parts[0], inner), name)
    return sorted(found.values())


def follow(command: str) -> None:
    """Run a command as it was printed."""
    first, *words = shlex.split(command)
    assert first == "snakemake"
    done = subprocess.run(
        [sys.executable, "-m", first, *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def command_of(told: str) -> str:
    return told.split("make anew: ")[1]


@pytest.fixture
def study(whole_study: Finished, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole_study.directory, tmp_path / "study", symlinks=True))


@pytest.mark.parametrize("how", DAMAGES)
def test_each_kind_of_file_is_found_and_one_job_is_named(study: Path, how: Callable[[bytes], bytes]) -> None:
    root = study / RESULTS
    names = kinds(root)
    assert len(names) > 40
    for name in names:
        if name == MANIFEST:
            continue
        before = (root / name).read_bytes()
        damage(root / name, how)
        found = check_manifest(root)
        assert (found.changed, found.missing, found.extra) == ((name,), (), ())
        words = shlex.split(command_of(advice(root, found)))
        targets = [target.removeprefix(f"{RESULTS}/") for target in words[words.index("--force") + 1 :]]
        made = Records(root).of_file[name]
        # What is never made twice alike changes the manifest.
        again = [MANIFEST] if is_timed(name) else []
        assert targets[0] in made.outputs
        assert targets[1:] == again
        (root / name).write_bytes(before)
    assert check_manifest(root).sound


def test_all_kinds_at_once_are_made_anew_by_one_command(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, expected = study / RESULTS, results(study)
    names = [name for name in kinds(root) if name != MANIFEST]
    for number, name in enumerate(names):
        damage(root / name, DAMAGES[number % len(DAMAGES)])
    assert main(["check", str(root)]) != 0
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert NAME in line
    follow(command_of(line))
    assert main(["check", str(root)]) == 0
    assert results(study) == expected


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_manifest_is_made_anew(
    study: Path, how: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    root = study / RESULTS
    before = (root / MANIFEST).read_bytes()
    damage(root / MANIFEST, how)
    assert main(["check", str(root)]) != 0
    follow(command_of(capsys.readouterr().err.strip()))
    assert (root / MANIFEST).read_bytes() == before
    assert main(["check", str(root)]) == 0


@pytest.mark.parametrize("how", [truncated, emptied])
def test_a_damaged_record_of_a_job_is_made_anew(
    study: Path, how: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    root, expected = study / RESULTS, results(study)
    for record in ("plant_backbone/small.json", "evaluate/main.json"):
        damage(root / FOLDER / record, how)
    assert main(["check", str(root)]) != 0
    told = capsys.readouterr()
    assert f"changed: {FOLDER}/plant_backbone/small.json" in told.out
    follow(command_of(told.err.strip()))
    assert main(["check", str(root)]) == 0
    assert results(study) == expected


def test_a_table_edited_by_hand_is_found_and_made_anew(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, expected = study / RESULTS, results(study)
    for name in ("tables/main.csv", "tables/main.md"):
        text = (root / name).read_text(encoding="utf-8")
        (root / name).write_text(text.replace("0.", "0.9", 1), encoding="utf-8")
    assert main(["check", str(root)]) != 0
    told = capsys.readouterr()
    assert told.out.splitlines() == ["changed: tables/main.csv", "changed: tables/main.md"]
    follow(command_of(told.err.strip()))
    assert main(["check", str(root)]) == 0
    assert results(study) == expected
