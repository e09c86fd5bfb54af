"""The demo of a real model: its graph of jobs, and what is said where the model is not at hand."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY, configuration, snakemake

MODEL = yaml.safe_load(configuration("demo").read_text(encoding="utf-8"))["backbones"]["smollm2-135m"]["file"]


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Make on the repository with this interpreter's folder in place of .venv, which need not exist."""
    command = ["make", "--no-print-directory", "-o", ".venv/installed", f"BIN={Path(sys.executable).parent}"]
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")} | environment
    return subprocess.run(
        [*command, *arguments], cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False
    )


def test_the_demo_trains_one_adapter_on_the_repository_s_own_collection(tmp_path: Path) -> None:
    (tmp_path / MODEL).touch()
    targets = ("results/demo/tables/main.md", "results/demo/figures/head_maps.png")
    done = snakemake(
        # All of it, whatever a demo that was run in this clone has left.
        *("-n", "--forceall", "--configfile", configuration("demo"), "--", *targets),
        HEADRANK_MODELS=str(tmp_path),
        HEADRANK_DATA="",
    )
    assert done.code == 0, done.err
    counted = {
        rule: done.jobs[rule] for rule in ("unpack_gguf", "index", "features", "train", "rerank", "figure")
    }
    assert counted == {"unpack_gguf": 1, "index": 2, "features": 1, "train": 1, "rerank": 1, "figure": 1}
    assert "fetch_gguf" not in done.jobs


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_names_the_files_that_the_study_builds(tmp_path: Path) -> None:
    (tmp_path / MODEL).touch()
    printed = make("-n", "demo-model", HEADRANK_MODELS=str(tmp_path)).stdout
    methods = yaml.safe_load(configuration("demo").read_text(encoding="utf-8"))["methods"]
    runs = {word.split("/")[-1] for word in printed.split() if "/runs/smollm2-135m/questions/" in word}
    assert runs
    assert runs <= {f"{method}.trec" for method in [*methods, "headrank"]}


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_demo_ends_by_naming_a_page_that_it_has_written(tmp_path: Path) -> None:
    (tmp_path / MODEL).touch()
    printed = make("-n", "demo-model", HEADRANK_MODELS=str(tmp_path)).stdout.replace("\\\n", " ")
    words = shlex.split(printed.split("headrank.cli explain", 1)[1])
    given = dict(zip(words[::2], words[1::2], strict=False))
    queries = (REPOSITORY / given["--collection"] / "queries.jsonl").read_text(encoding="utf-8")
    assert f'"_id": "{given["--query"]}"' in queries.splitlines()[0]
    assert given["--adapter"].startswith("results/demo/adapters/smollm2-135m/")
    told = [word for word in words if word.startswith("Which words")]
    assert len(told) == 1
    assert f"open {given['--output']} in a browser" in told[0]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_without_the_model_there_is_one_line(tmp_path: Path) -> None:
    # Another name, because an installed package may carry the model itself.
    done = make("demo-model", "MODEL=absent.gguf", HEADRANK_MODELS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "The real model is left out: absent.gguf is not in HEADRANK_MODELS, nor installed (make smollm2).\n"
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_asks_for_the_study_s_model() -> None:
    assert f"{MODEL} is not in HEADRANK_MODELS" in make("-n", "demo-model").stdout
