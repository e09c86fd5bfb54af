"""Paths, locales and homes that are not as expected: the same bytes, or one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import checkpoint
from test_full_disk import leave_room, small_disk
from whole_study import environment

pytestmark = pytest.mark.slow

# What each of these keeps and caches in.
HOMES = (
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "HF_HOME",
    "MPLCONFIGDIR",
    "TORCH_HOME",
    "IR_DATASETS_HOME",
)
ODD = "a {b} 'c' \"d\" ünï 東京"


def collection(folder: Path) -> Path:
    folder.mkdir(parents=True)
    texts = {"d1": "rote Eiche 樹", "d2": "žlutý kůň", "d3": "plain words"}
    lines = [json.dumps({"_id": key, "text": text}, ensure_ascii=False) for key, text in texts.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "Eiche 樹"}\n', encoding="utf-8")
    run = "".join(f"q Q0 d{i} {i} {4 - i} given\n" for i in (1, 2, 3))
    (folder / "run.trec").write_text(run, encoding="utf-8")
    return folder


def rerank(place: Path, model: Path, output: Path, **changes: str) -> subprocess.CompletedProcess[bytes]:
    words = ["rerank", "--method", "icr", "--backbone", model, "--device", "cpu", "--collection", place]
    words += ["--run", place / "run.trec", "--output", output]
    return subprocess.run(
        [sys.executable, "-m", "headrank.cli", *map(str, words)],
        env=environment(**changes),
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("plain")
    done = rerank(collection(folder / "c"), checkpoint("qwen3"), folder / "out.trec")
    assert done.returncode == 0, done.stderr
    return (folder / "out.trec").read_bytes()


def test_paths_with_blanks_braces_quotes_and_other_letters_in_a_plain_locale(
    tmp_path: Path, expected: bytes
) -> None:
    odd = tmp_path / ODD
    place, model = collection(odd / "c"), odd / "model"
    model.symlink_to(checkpoint("qwen3"))
    done = rerank(place, model, odd / "out.trec", LC_ALL="C", LANG="C")
    assert done.returncode == 0, done.stderr
    assert (odd / "out.trec").read_bytes() == expected


def test_homes_and_caches_that_cannot_be_written_to(tmp_path: Path, expected: bytes) -> None:
    with small_disk(tmp_path / "home") as home:
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        place = collection(tmp_path / "c")
        done = rerank(place, checkpoint("qwen3"), place / "out.trec", **dict.fromkeys(HOMES, str(home)))
        assert done.returncode == 0, done.stderr
        assert (place / "out.trec").read_bytes() == expected
        subprocess.run(["mount", "-o", "remount,rw", str(home)], check=True)


def test_a_full_disk_leaves_the_old_run(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        place, output = collection(tmp_path / "c"), disk / "out.trec"
        output.write_text("old\n", encoding="utf-8")
        leave_room(disk, 0)
        done = rerank(place, checkpoint("qwen3"), output)
        assert done.returncode != 0
        assert (
            done.stderr.decode().splitlines()[-1] == f"error: {output}: not written: No space left on device"
        )
        assert output.read_text(encoding="utf-8") == "old\n"
        assert [path.name for path in disk.iterdir()] == ["out.trec"]
        leave_room(disk, None)
        assert rerank(place, checkpoint("qwen3"), output).returncode == 0


def test_two_at_once_write_whole_files(tmp_path: Path, expected: bytes) -> None:
    place, output = collection(tmp_path / "c"), tmp_path / "out.trec"
    words = ["rerank", "--method", "icr", "--backbone", checkpoint("qwen3"), "--device", "cpu"]
    words += ["--collection", place, "--run", place / "run.trec", "--output", output]
    both = [
        subprocess.Popen([sys.executable, "-m", "headrank.cli", *map(str, words)], env=environment())
        for _ in range(2)
    ]
    assert [one.wait() for one in both] == [0, 0]
    assert output.read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "out.trec"]
