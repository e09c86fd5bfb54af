"""Checkpoints from a hub: one commit, safetensors, resumed where cut off, refused with a wrong byte.

The hub is a local server with the hub's own paths, headers and digests; the client is the real one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import REVISION, Served, publish, served
from support import checkpoint

pytestmark = pytest.mark.slow

MODEL = "maker/tiny"
WEIGHTS = f"/{MODEL}/resolve/{REVISION}/model.safetensors"


@pytest.fixture
def hub() -> Iterator[Served]:
    with served({}) as state:
        publish(state, MODEL, checkpoint("qwen3"))
        yield state


def fetch(hub: Served, home: Path, revision: str = REVISION) -> subprocess.CompletedProcess[str]:
    """The client reads its settings when it is loaded, hence a process of its own."""
    code = f"from headrank.engine.hub import fetch_snapshot; print(fetch_snapshot({MODEL!r}, {revision!r}))"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def folder(done: subprocess.CompletedProcess[str]) -> Path:
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


def failure(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1]


def test_every_file_of_the_commit_comes_and_is_right(hub: Served, tmp_path: Path) -> None:
    place = folder(fetch(hub, tmp_path))
    source = checkpoint("qwen3")
    assert {p.name for p in place.iterdir()} == {p.name for p in source.iterdir()}
    assert all((place / p.name).read_bytes() == p.read_bytes() for p in source.iterdir())


def test_a_second_fetch_brings_nothing_again(hub: Served, tmp_path: Path) -> None:
    folder(fetch(hub, tmp_path))
    hub.requests.clear()
    folder(fetch(hub, tmp_path))
    assert not [request for request in hub.requests if request[0] == "GET" and "/resolve/" in request[1]]


def test_a_download_that_broke_off_is_resumed(hub: Served, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.mkdir()
    # The client keeps what it has by pieces of ten megabytes.
    (source / "model.safetensors").write_bytes(os.urandom(24 << 20))
    hub.files.clear()
    publish(hub, MODEL, source)
    hub.cut[WEIGHTS] = 13 << 20
    place = folder(fetch(hub, tmp_path / "home"))
    assert (place / "model.safetensors").read_bytes() == hub.files[WEIGHTS]
    ranges = [asked for method, path, asked in hub.requests if method == "GET" and path == WEIGHTS]
    assert ranges[0] is None
    assert ranges[-1] is not None
    assert 0 < int(ranges[-1].removeprefix("bytes=").split("-")[0]) <= 13 << 20


def test_a_flipped_byte_is_named_and_fetched_again(hub: Served, tmp_path: Path) -> None:
    right = hub.files[WEIGHTS]
    hub.files[WEIGHTS] = right[:-1] + bytes([right[-1] ^ 1])
    told = failure(fetch(hub, tmp_path))
    assert "model.safetensors has a wrong checksum" in told
    assert f"{MODEL} at {REVISION}" in told
    hub.files[WEIGHTS] = right
    assert (folder(fetch(hub, tmp_path)) / "model.safetensors").read_bytes() == right


def test_a_flipped_byte_in_the_cache_is_found(hub: Served, tmp_path: Path) -> None:
    config = (folder(fetch(hub, tmp_path)) / "config.json").resolve()
    config.write_bytes(config.read_bytes()[:-1] + b" ")
    assert "config.json has a wrong checksum" in failure(fetch(hub, tmp_path))
    folder(fetch(hub, tmp_path))


def test_pickled_weights_are_not_taken(hub: Served, tmp_path: Path) -> None:
    source = tmp_path / "pickled"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    hub.files.clear()
    publish(hub, MODEL, source)
    assert "no weights as safetensors" in failure(fetch(hub, tmp_path))
    assert not [path for _, path, _ in hub.requests if path.endswith(".bin")]


def test_a_commit_that_is_not_there_is_named(hub: Served, tmp_path: Path) -> None:
    told = failure(fetch(hub, tmp_path, "f" * 40))
    assert f"{MODEL} at {'f' * 40}: the download from the hub failed" in told


def test_another_commit_than_asked_for_is_refused(hub: Served, tmp_path: Path) -> None:
    other = "f" * 40
    answer = hub.files[f"/api/models/{MODEL}/revision/{REVISION}"]
    hub.files[f"/api/models/{MODEL}/revision/{other}"] = answer
    assert f"the hub has it as {REVISION}" in failure(fetch(hub, tmp_path, other))


def fetch_one(hub: Served, home: Path, name: str, sha256: str) -> subprocess.CompletedProcess[str]:
    given = (MODEL, REVISION, name, sha256)
    code = f"from headrank.engine.hub import fetch_file; print(fetch_file(*{given!r}))"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_one_file_comes_alone_and_is_checked(hub: Served, tmp_path: Path) -> None:
    source = tmp_path / "files"
    source.mkdir()
    for name in ("a.gguf", "b.gguf"):
        (source / name).write_bytes(b"GGUF" + name.encode() * 99)
    hub.files.clear()
    publish(hub, MODEL, source)
    place, right = f"/{MODEL}/resolve/{REVISION}/a.gguf", (source / "a.gguf").read_bytes()
    digest = hashlib.sha256(right).hexdigest()
    hub.files[place] = right[:-1] + b"x"
    assert "a.gguf has a wrong checksum" in failure(fetch_one(hub, tmp_path / "home", "a.gguf", digest))
    hub.files[place] = right
    assert folder(fetch_one(hub, tmp_path / "home", "a.gguf", digest)).read_bytes() == right
    assert not [path for _, path, _ in hub.requests if path.endswith("b.gguf")]
    assert "has no file c.gguf" in failure(fetch_one(hub, tmp_path / "home", "c.gguf", digest))


def test_a_model_named_on_a_command_line_is_fetched_once_checked_and_then_found_without_a_network(
    hub: Served, tmp_path: Path
) -> None:
    def find(offline: str) -> subprocess.CompletedProcess[str]:
        code = f"from headrank.engine.places import folder_of; print(folder_of({MODEL!r}, {REVISION!r}))"
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": offline,
        }
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)

    assert f"{MODEL}: no usable model configuration" in failure(find("1"))
    wrong = hub.files[WEIGHTS][:-1] + bytes([hub.files[WEIGHTS][-1] ^ 1])
    right, hub.files[WEIGHTS] = hub.files[WEIGHTS], wrong
    assert f"{MODEL} at {REVISION}: model.safetensors has a wrong checksum" in failure(find("0"))
    hub.files[WEIGHTS] = right
    place = folder(find("0"))
    assert (place / "model.safetensors").read_bytes() == hub.files[WEIGHTS]
    assert folder(find("1")) == place


@pytest.mark.parametrize("call", [f"fetch_snapshot({MODEL!r}, {REVISION!r})", f"cached_snapshot({MODEL!r})"])
def test_a_hub_that_cannot_be_reached_is_one_line(call: str, tmp_path: Path) -> None:
    """Neither a port that nobody listens at nor a name that nobody has is an OSError of the client."""
    for url in ("http://127.0.0.1:9", "http://nowhere.invalid"):
        code = f"""
from headrank.engine.hub import cached_snapshot, fetch_snapshot
from headrank.errors import NotFoundError
try:
    {call}
except NotFoundError as error:
    print(error)
"""
        environment = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        (line,) = done.stdout.splitlines()
        assert line.startswith(MODEL), done.stderr
        assert "the hub" in line
