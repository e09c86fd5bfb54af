"""Files are written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from headrank.data.atomic import (
    clear_unfinished,
    whole_file,
    whole_folder,
    write_json,
    write_parquet,
    write_text,
)
from headrank.errors import RunError


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_new_file_appears_when_it_is_whole(tmp_path: Path):
    target = tmp_path / "deep" / "er" / "file.txt"
    with whole_file(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.parent == target.parent  # a rename across file systems would not be atomic
        assert temporary.suffix == ".txt"
    assert target.read_text() == "half"
    assert names(target.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    target = tmp_path / "file"
    target.write_text("old")

    def fail() -> None:
        with whole_file(target) as temporary:
            temporary.write_text("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_at_any_step_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    target = tmp_path / "file"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.raises(RunError, match="file: not written: No space left"):
        write_text(target, "new")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_files_are_flushed_before_they_take_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    events = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (events.append("replace"), replace(self, to))[1])
    write_text(tmp_path / "file", "x")
    assert events == ["fsync", "replace"]


def test_others_may_read_results(tmp_path: Path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_text_has_unix_line_ends(tmp_path: Path):
    write_text(tmp_path / "file", "å\nb\n")
    assert (tmp_path / "file").read_bytes() == "å\nb\n".encode()


def test_equal_values_give_equal_json(tmp_path: Path):
    write_json(tmp_path / "a", {"b": [1, 2], "a": "λ"})
    write_json(tmp_path / "b", {"a": "λ", "b": [1, 2]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text(encoding="utf-8")) == {"a": "λ", "b": [1, 2]}
    with pytest.raises(TypeError):
        write_json(tmp_path / "a", {"b": object()})
    assert json.loads((tmp_path / "a").read_text(encoding="utf-8"))["b"] == [1, 2]


def test_parquet_round_trip(tmp_path: Path):
    frame = pd.DataFrame({"qid": ["b", "a"], "score": [0.5, -1.0]}, index=[7, 3])
    write_parquet(tmp_path / "x.parquet", frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), frame.reset_index(drop=True))


def fill(path: Path, text: str, failing: bool = False) -> None:
    with whole_folder(path) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text(text)
        if failing:
            raise RuntimeError("stop")


def test_a_folder_appears_when_it_is_whole_and_replaces_the_old_one(tmp_path: Path):
    target = tmp_path / "deep" / "er"
    fill(target, "old")
    (target / "more").touch()
    fill(target, "new")
    assert names(target) == ["inner"]
    assert (target / "inner" / "file").read_text() == "new"
    assert names(target.parent) == ["er"]
    with pytest.raises(RuntimeError, match="stop"):
        fill(target, "half", failing=True)
    assert (target / "inner" / "file").read_text() == "new"
    assert names(target.parent) == ["er"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fill(tmp_path / "folder", "old")
    rename = Path.rename

    def refuse(self: Path, to: Path) -> Path:
        if self.name == "folder" and to == tmp_path / "folder":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(RunError, match="/folder: not written: No space left on device"):
        fill(tmp_path / "folder", "new")
    assert (tmp_path / "folder" / "inner" / "file").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_an_error_of_writing_names_the_file_that_was_to_be_written(tmp_path: Path):
    def fail(error: OSError) -> str:
        try:
            with whole_file(tmp_path / "file.txt") as temporary:
                if error.filename == "own":
                    error.filename = str(temporary)
                raise error
        except (OSError, RunError) as told:
            return str(told)
        raise AssertionError("it was written")

    target = tmp_path / "file.txt"
    assert fail(OSError(28, "full")) == f"{target}: not written: full"
    assert fail(OSError(27, "too large", "own")) == f"{target}: not written: too large"
    # As libraries written in Rust tell it, and NumPy.
    assert fail(OSError("write failed (os error 28)")) == f"{target}: not written: No space left on device"
    assert fail(OSError("9 requested and 4 written")) == f"{target}: not written: No space left on device"
    # Of another file that was read meanwhile.
    assert fail(OSError(5, "broken", "other")) == "[Errno 5] broken: 'other'"
    assert fail(OSError("not a gzipped file")) == "not a gzipped file"


def test_what_killed_processes_left_of_an_output_is_removed_and_nothing_else(tmp_path: Path):
    left = [".run.trec.new-abcd1234.trec", ".run.trec.new-abcd_234", ".index.new-0a1b2c3d"]
    kept = [".other.trec.new-abcd1234.trec", ".run.trec.settings", "run.trec", ".run.trec.new-"]
    for name in [*left, *kept]:
        (tmp_path / name).touch()
    (tmp_path / ".index.new-abcdefgh" / "part").mkdir(parents=True)
    clear_unfinished([tmp_path / "run.trec", tmp_path / "index", tmp_path / "nowhere" / "file"])
    assert names(tmp_path) == sorted(kept)
