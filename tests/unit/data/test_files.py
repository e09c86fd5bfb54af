"""Files for reading: regular ones of a bounded size; nothing waits for a program that may never write."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrank.cli import main
from headrank.data.beir import read_documents, read_queries
from headrank.data.digests import file_digest
from headrank.data.files import check_regular, open_regular, read_whole
from headrank.data.frames import read_parquet
from headrank.data.json_files import read_json
from headrank.data.trec import read_qrels, read_run
from headrank.engine.features import Features
from headrank.errors import InputError
from headrank.generative.calls import read_calls
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router
from headrank.provenance.manifest import NAME, check_manifest
from headrank.workflow.yaml_files import check_file

pytestmark = pytest.mark.usefixtures("no_waiting")

READERS: list[Callable[[Path], Any]] = [
    open_regular,
    check_regular,
    read_whole,
    file_digest,
    read_run,
    read_qrels,
    read_queries,
    lambda path: list(read_documents(path)),
    lambda path: read_json(path, "thing"),
    read_parquet,
    HeadSet.load,
    Features.load,
    Router.load,
    read_calls,
    check_file,
]


@pytest.mark.parametrize("reader", READERS)
def test_a_named_pipe_is_refused_by_every_reader(reader: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InputError, match="is a pipe, expected a file") as told:
        reader(path)
    assert "\n" not in str(told.value)
    # A link to it is no better.
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(InputError, match="is a pipe, expected a file"):
        reader(tmp_path / "link")


@pytest.mark.parametrize("reader", READERS)
def test_a_device_that_never_ends_is_refused(reader: Callable[[Path], Any]) -> None:
    with pytest.raises(InputError, match="is a device, expected a file"):
        reader(Path("/dev/zero"))


def test_a_socket_is_refused_and_a_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(InputError, match="is a socket, expected a file"):
            open_regular(tmp_path / "socket")
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_a_pipe_of_the_shell_is_accepted_where_pipes_are(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"text")
    os.close(writing)
    with open_regular(f"/dev/fd/{reading}", pipes=True) as stream:
        assert stream.read() == b"text"
    with pytest.raises(InputError, match="is a pipe"):
        open_regular(f"/dev/fd/{reading}")
    os.close(reading)


def test_a_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert read_whole(path, 10) == b"x" * 10
    with pytest.raises(InputError, match="file: more than 0 MiB, too large"):
        read_whole(path, 9)


def test_a_pipe_in_a_manifest_ends_the_check(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    os.mkfifo(tmp_path / "study" / "pipe")
    (tmp_path / "study" / NAME).write_text(f"{'0' * 64}  pipe\n", encoding="utf-8")
    with pytest.raises(InputError, match="pipe: is a pipe"):
        check_manifest(tmp_path / "study")
    assert main(["check", str(tmp_path / "study")]) == 4
