"""Runs of Snakemake for the tests of the workflow, among them the one whole mini run of a session."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATIONS = ("config", "quick", "backbones", "mini", "real-text")

Run = Callable[..., "Finished"]


@dataclass(frozen=True)
class Finished:
    """What a Snakemake process left behind."""

    code: int
    out: str
    err: str

    @property
    def jobs(self) -> dict[str, int]:
        """Number of jobs by rule, from the table that Snakemake prints before it starts.

        Rules for several adapters (train_1, train_2) count together.
        """
        table = self.out.split("Job stats:\n")[1].split("\n\n")[0]
        found: Counter[str] = Counter()
        for rule, number in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE):
            found[re.sub(r"_\d+$", "", rule)] += int(number)
        return dict(found)

    @property
    def errors(self) -> list[str]:
        """The lines that say what was wrong."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def snakemake(*arguments: str | Path, directory: Path | None = None, **environment: str) -> Finished:
    """Run Snakemake on the repository's workflow; results go to ``directory`` where one is given."""
    command = [sys.executable, "-m", "snakemake", *map(str, arguments)]
    if directory is not None:
        command += ["--directory", str(directory)]
    places = ("HEADRANK_DATA", "HEADRANK_MODELS")
    variables = {k: v for k, v in os.environ.items() if k not in places} | environment
    done = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
    # With --dry-run the job table is on stdout, in a real run on stderr.
    return Finished(done.returncode, done.stdout + done.stderr, done.stderr)


def configuration(name: str) -> Path:
    return REPOSITORY / "config" / f"{name}.yaml"


@pytest.fixture(scope="session")
def empty_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which every file that real-text.yaml names is there, and empty: enough for a dry run."""
    directory = tmp_path_factory.mktemp("data")
    spec = yaml.safe_load(configuration("real-text").read_text(encoding="utf-8"))
    for collection in spec["collections"].values():
        place = directory / collection["path"]
        place.mkdir()
        for name in ("corpus.jsonl", "queries.jsonl", "qrels.trec", collection.get("run")):
            if name:
                (place / name).touch()
    for backbone in spec["backbones"].values():
        if "tokenizer" in backbone:
            (directory / backbone["tokenizer"]).mkdir()
            (directory / backbone["tokenizer"] / "tokenizer.json").touch()
    return directory


@pytest.fixture(scope="session")
def mini_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one whole mini run, done once per session."""
    directory = tmp_path_factory.mktemp("mini")
    done = snakemake("--cores", "all", "--configfile", configuration("mini"), directory=directory)
    assert done.code == 0, done.err[-4000:]
    return directory
