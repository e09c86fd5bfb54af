"""What is kept outside of a study: checkpoints dequantised from GGUF files, and downloads of the hub."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ggufs import float_checkpoint, write_gguf
from servers import REVISION, Served, publish, served
from support import checkpoint
from test_full_disk import leave_room, small_disk
from test_odd_places import collection, rerank
from whole_study import environment

pytestmark = pytest.mark.slow

MODEL = "maker/tiny"
FETCH = """
import sys
from headrank.engine.hub import fetch_snapshot
from headrank.errors import InputError
try:
    fetch_snapshot(*sys.argv[1:])
except InputError as error:
    sys.exit(f"error: {error}")
"""


def test_a_full_disk_leaves_no_half_checkpoint_in_the_cache(tmp_path: Path) -> None:
    model = write_gguf(float_checkpoint(tmp_path / "float", "qwen2"), tmp_path / "tiny.gguf", "qwen2")
    place, output = collection(tmp_path / "c"), tmp_path / "out.trec"
    with small_disk(tmp_path / "disk") as disk:
        leave_room(disk, 30)
        done = rerank(place, model, output, HEADRANK_CACHE=str(disk))
        assert done.returncode != 0
        line = done.stderr.decode().splitlines()[-1]
        assert line.startswith(f"error: {disk}")
        assert line.endswith("No space left on device")
        assert [path for path in disk.rglob("*") if path.is_file()] == []
        assert not output.exists()
        leave_room(disk, None)
        done = rerank(place, model, output, HEADRANK_CACHE=str(disk))
        assert done.returncode == 0, done.stderr
        assert output.is_file()


def fetch(hub: Served, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, MODEL, REVISION],
        env=environment(HF_HOME=str(home), HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0"),
        stderr=subprocess.PIPE,
        text=True,
    )


def fetched(home: Path) -> dict[str, bytes]:
    (folder,) = home.glob("hub/models--maker--tiny/snapshots/*")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def weights() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoint("qwen3").iterdir()}


def test_a_download_onto_a_full_disk_ends_in_one_line_and_completes_later(
    tmp_path: Path, weights: dict[str, bytes]
) -> None:
    with served({}) as hub, small_disk(tmp_path / "disk") as disk:
        publish(hub, MODEL, checkpoint("qwen3"))
        leave_room(disk, len(weights["model.safetensors"]) // 8192)
        failed = fetch(hub, disk)
        _, told = failed.communicate(timeout=300)
        assert failed.returncode != 0
        assert told.splitlines()[-1].startswith(
            f"error: {MODEL} at {REVISION}: the download from the hub failed"
        )
        leave_room(disk, None)
        again = fetch(hub, disk)
        _, told = again.communicate(timeout=300)
        assert again.returncode == 0, told
        assert fetched(disk).items() <= weights.items()


@pytest.mark.faults
def test_a_killed_download_completes_later(tmp_path: Path, weights: dict[str, bytes]) -> None:
    with served({}) as hub:
        publish(hub, MODEL, checkpoint("qwen3"))
        began = time.monotonic()
        assert fetch(hub, tmp_path / "undisturbed").wait() == 0
        duration = time.monotonic() - began
        for share in (0.5, 0.7, 0.8, 0.9, 0.95):
            process = fetch(hub, tmp_path / "home")
            time.sleep(share * duration)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        again = fetch(hub, tmp_path / "home")
        _, told = again.communicate(timeout=300)
        assert again.returncode == 0, told
        assert fetched(tmp_path / "home") == fetched(tmp_path / "undisturbed")
        assert fetched(tmp_path / "home").items() <= weights.items()
