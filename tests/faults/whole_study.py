"""A finished study with all stages, and its jobs: each can be run again by itself, as Snakemake ran it."""

from __future__ import annotations

import ast
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headrank.provenance.manifest import NAME as MANIFEST
from headrank.provenance.record import NAME as PROVENANCE
from headrank.provenance.time import is_time

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "whole"
RESULTS = Path("results", NAME)
# Stages that the study has. ``test_every_stage_is_here`` compares them with the rules.
STAGES = (
    *("synthesize", "collection", "leakage", "index", "retrieve", "first_stage", "passages", "training_set"),
    *("plant_backbone", "lists", "features", "gather_features", "detect", "route", "select", "mine", "train"),
    *("frozen", "rerank", "generate", "gather_frozen", "gather_rerank", "gather_generate"),
    *("clock", "inject", "evaluate", "significance", "cost", "formatting", "timing", "selectivity"),
    *("homogenisation", "claims", "controls", "depth", "curves", "query_curve", "transfer", "head_map"),
    *("routes", "table", "figure", "provenance", "sidecars", "manifest"),
)
# Those of studies with a dense first stage and a GGUF file (``other_study``).
OTHER_STAGES = ("link_backbone", "embed", "retrieve_dense", "unpack_gguf")
_SCRIPT = re.compile(r"pickle\.loads\((b'.*?'|b\".*?\")\);from snakemake", re.DOTALL)


def whole_config() -> dict[str, Any]:
    """The mini study cut down to one backbone and few queries, with a method of each kind, in two shards."""
    mini = yaml.safe_load((REPOSITORY / "config" / "mini.yaml").read_text(encoding="utf-8"))
    config = {
        key: mini[key] for key in ("seed", "device", "dtype", "threads", "adapters_per_job", "headrank")
    }
    queries = {"training": 20, "in-domain": 10, "other-topics": 10, "detection": 12}
    specs = {name: mini["collections"][name]["synthetic"] | {"queries": n} for name, n in queries.items()}
    config["headrank"]["training"] |= {"epochs": 1}
    return config | {
        "name": NAME,
        "shards": 2,
        "tokens_per_pass": mini["tokens_per_pass"],
        "collections": {name: {"source": "synthetic", "synthetic": spec} for name, spec in specs.items()},
        "train_on": ["training"],
        "detect_on": ["detection"],
        "panel": ["in-domain", "other-topics"],
        "backbones": {"small": mini["backbones"]["small"]},
        "methods": ["icr", "qrhead", "core", "core-own", "routehead", "headrank-untrained", "core-faithful"],
        "trained_baselines": {"qrranker": mini["trained_baselines"]["qrranker"]},
        "generative": {"methods": ["first", "qwen3-reranker"], "queries": 1},
        "variants": {
            "no-regulariser": mini["variants"]["no-regulariser"],
            "queries-10": {"training": {"queries": 10}},
        },
        "ablation": {"backbone": "small", "variants": ["no-regulariser"], "queries": ["queries-10"]},
        "clock": {"queries": 1, "threads": 1},
        "injection": {"queries": 2},
    }


@dataclass(frozen=True)
class Stage:
    """One job of a rule. script: as Snakemake wrote it; all paths are relative to the study's directory."""

    rule: str
    script: str
    outputs: tuple[str, ...]
    log: str

    def clear(self, study: Path) -> None:
        """Remove the outputs, as Snakemake does before it starts a job."""
        for name in self.outputs:
            if (study / name).is_dir():
                shutil.rmtree(study / name)
            else:
                (study / name).unlink(missing_ok=True)

    def found(self, study: Path) -> dict[str, bytes]:
        """The outputs that are there, by path; without those that hold measured times."""
        names = [
            file
            for name in self.outputs
            for file in ([name] if (study / name).is_file() else files_below(study, name))
        ]
        return {name: (study / name).read_bytes() for name in names if not is_timed(name)}

    def largest(self, study: Path) -> int:
        """Bytes of the largest file that the job writes; of a link, of the path in it."""
        files = [
            study / file
            for name in self.outputs
            for file in (files_below(study, name) if (study / name).is_dir() else [name])
        ]
        return max(path.lstat().st_size for path in files)


def is_timed(name: str) -> bool:
    """Whether a file of the study's directory holds measured times."""
    inner = name.removeprefix(f"{RESULTS}/")
    return is_time(inner) or inner == PROVENANCE or inner.startswith("benchmarks/")


def files_below(study: Path, name: str) -> list[str]:
    """All files below a folder that are not hidden, nor in a hidden folder."""
    found = [path for path in (study / name).rglob("*") if path.is_file()]
    names = [path.relative_to(study) for path in found]
    return sorted(str(name) for name in names if not any(part.startswith(".") for part in name.parts))


def results(study: Path, *inner: str) -> dict[str, bytes]:
    """All files of the results folder that equal studies have alike; the manifest lists those with times, too."""
    names = files_below(study, str(Path(RESULTS, *inner)))
    return {
        name: (study / name).read_bytes()
        for name in names
        if not is_timed(name) and not name.endswith(MANIFEST)
    }


def unfinished(study: Path) -> list[str]:
    """What interrupted writing left behind."""
    return sorted(str(path.relative_to(study)) for path in study.rglob(".*.new-*"))


def command(study: Path, *arguments: str | Path) -> list[str]:
    words = [sys.executable, "-m", "snakemake", *arguments, "--directory", study]
    return [str(word) for word in [*words, "--configfile", study / "study.yaml"]]


def environment(**changes: str) -> dict[str, str]:
    places = ("HEADRANK_DATA", "HEADRANK_MODELS")
    return {key: value for key, value in os.environ.items() if key not in places} | changes


def snakemake(study: Path, *arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    words = command(study, *arguments)
    return subprocess.run(
        words, cwd=REPOSITORY, env=environment(**changes), capture_output=True, text=True, check=False
    )


def start(study: Path, *arguments: str | Path, **changes: str) -> subprocess.Popen[str]:
    """Start Snakemake as the leader of a process group."""
    return subprocess.Popen(
        command(study, *arguments),
        cwd=REPOSITORY,
        env=environment(**changes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_group(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to Snakemake and all of its jobs."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def write_config(study: Path, config: dict[str, Any]) -> None:
    study.mkdir(parents=True, exist_ok=True)
    (study / "study.yaml").write_text(
        yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def build(study: Path, *targets: str, **changes: str) -> Path:
    """Run a study to its end, and keep the scripts of its jobs."""
    done = snakemake(study, *targets, "--cores", "all", "--skip-script-cleanup", **changes)
    assert done.returncode == 0, done.stderr[-4000:]
    return study


def stages_of(study: Path) -> dict[str, Stage]:
    """One job of each rule, that which writes the largest file."""
    found: dict[str, list[Stage]] = {}
    for path in sorted((study / ".snakemake" / "scripts").glob("*.py")):
        job = pickle.loads(ast.literal_eval(_SCRIPT.search(path.read_text(encoding="utf-8"))[1]))
        rule = re.sub(r"_\d+$", "", job.rule)
        stage = Stage(rule, str(path.relative_to(study)), tuple(map(str, job.output)), str(job.log[0]))
        found.setdefault(rule, []).append(stage)
    return {
        rule: max(jobs, key=lambda job: (job.largest(study), job.outputs)) for rule, jobs in found.items()
    }


def rules_of_the_workflow(files: Iterable[Path]) -> set[str]:
    """Names of the rules that have a script, without the numbers of batches and what a loop puts before them."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    plain = re.findall(r"^rule (\w+):", text, re.MULTILINE)
    copied = re.findall(r"^use rule \w+ as (\w+)", text, re.MULTILINE)
    return {*plain, *copied, *re.findall(r"\w+\.rule\(\"(\w+)\"\)", text)}
