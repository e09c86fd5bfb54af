"""Files are written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from headrank.data.atomic import whole_file, write_json, write_parquet, write_text
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
