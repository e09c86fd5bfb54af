"""Outputs that are devices, pipes, links or open descriptors are written into, and are afterwards what they were."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headrank.data.atomic import write_text
from headrank.data.trec import write_run
from headrank.errors import InputError, RunError

RUN = {"q": [("a", 2.0)]}
LINE = "q Q0 a 1 2.0 t\n"
WRITE = """
import sys
from headrank.data.trec import write_run
print("before")
write_run(sys.argv[1], {"q": [("a", 2.0)]}, "t")
print("after")
"""


def child(path: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WRITE, str(path)], check=True, text=True, stderr=subprocess.PIPE, **options
    )


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.trec"
    real.parent.mkdir()
    real.write_text("old")
    (tmp_path / "link").symlink_to("elsewhere/real.trec")
    (tmp_path / "second").symlink_to("link")
    write_run(tmp_path / "second", RUN, "t")
    assert real.read_text() == LINE
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "link", "second"]
    assert [p.name for p in real.parent.iterdir()] == ["real.trec"]


def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "new" / "real.trec")
    write_run(tmp_path / "link", RUN, "t")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new" / "real.trec").read_text() == LINE


def test_an_error_leaves_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(InputError):
        write_run(tmp_path / "link", {"q": [("a b", 1.0)]}, "t")
    assert (tmp_path / "real").read_text() == "old"


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    null = Path("/dev/null")
    before = null.stat().st_ino
    for path in (null, tmp_path / "null"):
        write_text(path, "lost")
        assert stat.S_ISCHR(null.stat().st_mode)
        assert null.stat().st_ino == before
    assert (tmp_path / "null").is_symlink()
    assert not list(Path("/dev").glob(".null*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_device_is_named() -> None:
    with pytest.raises(RunError, match=r"^/dev/full: not written: No space left on device$"):
        write_text("/dev/full", "x")


@pytest.mark.parametrize("path", ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"])
def test_standard_output_receives_a_run_in_its_place(path: str, tmp_path: Path) -> None:
    assert child(path, stdout=subprocess.PIPE).stdout == f"before\n{LINE}after\n"
    # Appended to a file, as with >>: opened again, it would be written from its start.
    out = tmp_path / "out"
    out.write_text("kept\n")
    with out.open("a") as stream:
        child(path, stdout=stream)
    assert out.read_text() == f"kept\nbefore\n{LINE}after\n"


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    opened = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(opened, True)

    def read() -> None:
        with os.fdopen(opened) as stream:
            found.append(stream.read())

    write_run(pipe, RUN, "t")
    reader = threading.Thread(target=read)
    reader.start()
    reader.join()
    assert found == [LINE]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_that_nobody_reads_is_told_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="pipe: nobody reads from this pipe"):
        write_run(pipe, RUN, "t")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
