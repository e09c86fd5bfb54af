"""A full disk and a file that may not grow, in every stage: one line, the old files intact, complete when repeated."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from replay import Replay
from whole_study import Stage, unfinished

pytestmark = pytest.mark.faults

PAGE = 4096


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system in memory of its own, mounted at ``place``; skips the test where that is not allowed."""
    place.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=2g", "headrank-test", str(place)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"only root can mount a small file system: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def leave_room(place: Path, pages: int | None) -> None:
    """Let so many pages be free on a small disk; all that it needs where None."""
    used = os.statvfs(place)
    size = "2g" if pages is None else str((used.f_blocks - used.f_bfree) * used.f_frsize + pages * PAGE)
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


def refused(stage: Stage, study: Path, before: dict[str, bytes], most: int | None = None) -> None:
    """The stage ends in one line and leaves the files as they were."""
    failed = Replay(stage, study, most)
    assert failed.end() != 0
    (line,) = failed.told()
    assert line.startswith("error: ")
    assert any(word in line for word in ("No space left", "File too large", "os error 28", "os error 27")), (
        line
    )
    assert stage.found(study) == before
    assert unfinished(study) == []


def test_a_file_that_may_not_grow(stage_and_study: tuple[Stage, Path]) -> None:
    stage, study = stage_and_study
    before = stage.found(study)
    refused(stage, study, before, most=stage.largest(study) // 2)
    again = Replay(stage, study)
    assert again.end() == 0, again.told()
    assert stage.found(study) == before


def test_a_full_disk(stage_and_study: tuple[Stage, Path], tmp_path: Path) -> None:
    stage, finished = stage_and_study
    with small_disk(tmp_path / "disk") as disk:
        study = Path(shutil.copytree(finished, disk / "study", symlinks=True))
        before = stage.found(study)
        (study / stage.log).write_bytes(b"")
        leave_room(disk, stage.largest(study) // 2 // PAGE)
        refused(stage, study, before)
        leave_room(disk, None)
        again = Replay(stage, study)
        assert again.end() == 0, again.told()
        assert stage.found(study) == before
