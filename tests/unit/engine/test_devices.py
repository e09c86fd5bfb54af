"""GPUs of one machine: processes side by side take one each, and a killed one leaves its own free."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from headrank.engine import devices

pytestmark = pytest.mark.slow

GPUS = ["first", "second"]
TAKE = """
import sys
from headrank.engine.devices import take_gpu
print(take_gpu(sys.argv[2:], sys.argv[1]), flush=True)
sys.stdin.read()
"""


@contextmanager
def job(directory: Path, *names: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Another process, and the position of the GPU that it has taken until the block ends."""
    command = [sys.executable, "-c", TAKE, str(directory), *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def no_gpu_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_taken", {})


def test_jobs_side_by_side_take_a_gpu_each(tmp_path: Path) -> None:
    with job(tmp_path, *GPUS) as (first, _), job(tmp_path, *GPUS) as (second, _):
        assert [first, second] == [0, 1]


def test_gpus_are_told_apart_by_name_and_not_by_position(tmp_path: Path) -> None:
    with job(tmp_path, "second") as (position, _):
        assert position == 0
        assert devices.take_gpu(["second", "first"], tmp_path) == 1


def test_a_killed_job_leaves_its_gpu_free(tmp_path: Path) -> None:
    with job(tmp_path, *GPUS) as (first, process), job(tmp_path, *GPUS) as (second, _):
        process.kill()
        process.wait()
        with job(tmp_path, *GPUS) as (third, _):
            assert (first, second, third) == (0, 1, 0)


def test_a_process_keeps_to_the_gpu_that_it_has(tmp_path: Path) -> None:
    with job(tmp_path, *GPUS):
        assert devices.take_gpu(GPUS, tmp_path) == 1
    assert devices.take_gpu(GPUS, tmp_path) == 1


def test_with_more_jobs_than_gpus_the_first_is_shared(tmp_path: Path) -> None:
    with job(tmp_path, *GPUS), job(tmp_path, *GPUS), job(tmp_path, *GPUS) as (third, _):
        assert third == 0


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    assert devices.take_gpu(GPUS, tmp_path / "absent") == 0


def test_auto_is_a_free_one_of_the_visible_gpus_or_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Properties:
        def __init__(self, number: int) -> None:
            self.uuid = GPUS[number]

    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(GPUS))
    monkeypatch.setattr(torch.cuda, "get_device_properties", Properties)
    with job(tmp_path, GPUS[0]):
        assert devices.choose_device() == "cuda:1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.choose_device() == "cpu"
