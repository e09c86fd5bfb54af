"""The conda environments: there, pinned as the tests' own environment is, and holding what their scripts import.

That conda can solve them is not tested: it would need conda and its channels.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY

from headrank.evaluation.metrics import modules_of_metrics
from headrank.workflow import library
from headrank.workflow.artefacts import TABLES
from headrank.workflow.library import ENTRIES, library_digest, library_files

RULES = sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
SOURCE = REPOSITORY / "src"
# Import names whose distributions are called otherwise, in conda or on PyPI.
DISTRIBUTIONS = {
    "Stemmer": "pystemmer",
    "pytrec_eval": "pytrec-eval-terrier",
    "matplotlib": "matplotlib-base",
    "yaml": "pyyaml",
}
# What a script loads at need, inside functions, on the way that it takes.
AT_NEED = {
    "collection": ["ir_datasets"],
    "leakage": ["bm25s"],
    "passages": ["ir_datasets"],
    "fetch_collection": ["ir_datasets"],
    "fetch_backbone": ["huggingface_hub"],
    "index": ["bm25s", "Stemmer", "ir_datasets", "scipy"],
    "embed": ["transformers", "ir_datasets"],
    "retrieve": ["bm25s", "Stemmer", "ir_datasets"],
    "retrieve_dense": ["transformers", "tokenizers"],
    "evaluate": ["pytrec_eval"],
    "depth": ["pytrec_eval", "scipy"],
    "significance": ["scipy", "statsmodels"],
    "features": ["tokenizers"],
    "train": ["peft", "safetensors"],
    "rerank": ["peft", "safetensors"],
    "frozen": ["safetensors"],
    "select": ["safetensors"],
    "mine": ["safetensors"],
    "plant_backbone": ["scipy", "tokenizers", "transformers"],
    "plant_realtext": ["bm25s", "Stemmer", "transformers"],
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def blocks() -> list[tuple[str, str, Path]]:
    """(rule, text, file) of every rule in the rule files; those made in a loop by the stage that they are named for."""
    found = []
    for path in RULES:
        for block in re.split(r"^ *rule\b", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            made = re.match(r':\s+name:\s+BATCH\.rule\("(\w+)"', block)
            found.append((made[1] if made else block.split(":")[0].strip(), block, path))
    return found


def rules() -> list[tuple[str, str, Path]]:
    """(rule, script, environment) of every rule."""
    found = []
    for name, block, path in blocks():
        environments = re.findall(r'conda:\s+"([^"]+)"', block)
        scripts = re.findall(r'script:\s+"\.\./scripts/(\w+)\.py"', block)
        assert len(environments) == len(scripts) == 1, name
        found.append((name, scripts[0], (path.parent / environments[0]).resolve()))
    return found


def packages(environment: Path) -> dict[str, str]:
    """Distribution -> version of an environment, conda's and pip's."""
    content = yaml.safe_load(environment.read_text(encoding="utf-8"))
    pinned = [entry.split("=", 1) for entry in content["dependencies"] if isinstance(entry, str)]
    for entry in content["dependencies"]:
        if isinstance(entry, dict):
            pinned += [line.split("==", 1) for line in entry["pip"]]
    return {normal(name): version for name, version in pinned}


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {
        normal(n): v for n, v in (line.split("==") for line in lines if line and not line.startswith("#"))
    }


# One script puts together what different jobs have written.
SHARED = {"gather_frozen": "gather"}


def test_each_rule_has_a_script_of_its_own_name_and_an_environment() -> None:
    names = [rule for rule, _, _ in rules()]
    assert len(names) == len(set(names)) > 20
    for rule, script, environment in rules():
        assert script == SHARED.get(rule, rule)
        assert (REPOSITORY / "workflow" / "scripts" / f"{script}.py").is_file()
        assert environment in ENVIRONMENTS, f"{rule}: {environment} does not exist"


def test_no_script_is_without_a_rule() -> None:
    scripts = {path.stem for path in (REPOSITORY / "workflow" / "scripts").glob("*.py")}
    assert scripts == {script for _, script, _ in rules()}


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_versions_are_exact_and_those_of_the_constraints(environment: Path) -> None:
    content = yaml.safe_load(environment.read_text(encoding="utf-8"))
    assert content["channels"] == ["conda-forge", "nodefaults"]
    known = constraints()
    for name, version in packages(environment).items():
        if name not in ("python", "pip"):
            assert known[normal(name.removesuffix("-base"))] == version, f"{environment.name}: {name}"


def test_constraints_are_exact() -> None:
    assert constraints()["torch"] == "2.13.0"
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in constraints().values())


@cache
def imported(path: Path) -> frozenset[str]:
    """Modules that a file imports when it is loaded: not those inside functions or for type checking."""
    names: set[str] = set()

    def walk(nodes: list[ast.stmt]) -> None:
        for node in nodes:
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.If | ast.Try | ast.With) and "TYPE_CHECKING" not in ast.dump(node):
                walk(node.body)

    walk(ast.parse(path.read_text(encoding="utf-8")).body)
    return frozenset(names)


def file_of(module: str) -> Path | None:
    place = SOURCE.joinpath(*module.split("."))
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


def reached(path: Path) -> tuple[set[str], set[Path]]:
    """Packages from outside that loading a file imports, and the files of the library that it loads."""
    outside: set[str] = set()
    files: set[Path] = set()
    todo = [path]
    while todo:
        for module in imported(todo.pop()):
            parts = module.split(".")
            if parts[0] != "headrank":
                outside.add(parts[0])
                continue
            # A package's own file is run before its modules.
            for length in range(1, len(parts) + 1):
                file = file_of(".".join(parts[:length]))
                if file and file not in files:
                    files.add(file)
                    todo.append(file)
    return outside - set(sys.stdlib_module_names), files


@pytest.mark.parametrize(("rule", "script", "environment"), rules(), ids=[rule for rule, _, _ in rules()])
def test_an_environment_holds_what_its_scripts_import(rule: str, script: str, environment: Path) -> None:
    outside, _ = reached(REPOSITORY / "workflow" / "scripts" / f"{script}.py")
    there = packages(environment)
    for name in sorted(outside | set(AT_NEED.get(rule, []))):
        assert normal(DISTRIBUTIONS.get(name, name)) in there, f"{rule}: {environment.name} lacks {name}"


def test_every_script_finds_what_it_imports() -> None:
    """Seconds here instead of minutes into a run; one process, as torch is slow to load."""
    scripts = sorted(str(path) for path in (REPOSITORY / "workflow" / "scripts").glob("*.py"))
    program = "import runpy, sys\nfor path in sys.argv[1:]: runpy.run_path(path)"
    done = subprocess.run([sys.executable, "-c", program, *scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


def test_light_stages_do_not_load_torch() -> None:
    heavy = {"torch", "transformers"}
    for rule, script, environment in rules():
        if environment.stem != "model":
            outside, _ = reached(REPOSITORY / "workflow" / "scripts" / f"{script}.py")
            assert not outside & heavy, rule


def test_rules_watch_the_library_files_that_their_scripts_load() -> None:
    """Every rule has the digest of its own script's files, which are all that the script loads when it starts."""
    for name, block, _ in blocks():
        script = re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', block)
        if script:
            assert re.search(rf'library=(lambda wildcards: )?library\("{script[1]}"[,)]', block), name
    files_of = watched_files()
    for _, script, _ in rules():
        _, files = reached(REPOSITORY / "workflow" / "scripts" / f"{script}.py")
        names = {str(file.relative_to(SOURCE / "headrank")).removesuffix(".py") for file in files}
        assert names - {"__init__"} <= files_of[script], script
    assert {"engine/extract", "engine/backbone", "data/trec/runs", "rerankers/frozen"} <= files_of["frozen"]
    assert {"tables/table", "tables/write"} <= files_of["table"]
    assert {f"engine/tiles/{name}" for name in ("__init__", "avx2.c", "tiles.h")} <= files_of["train"]
    assert not any(name.startswith("engine/tiles/") for name in files_of["table"])


def test_a_job_watches_the_methods_that_it_builds_and_no_others() -> None:
    """So that a new method, or a change of one, reruns nothing of the others."""
    few = watched("frozen", "icr", "reattn-core")
    entries = {name for name in few if name.startswith("methods/entries/")}
    assert {"rerankers/icr", "rerankers/core", "rerankers/reattn", "methods/entries/icr"} <= few
    # ReAttn's description names all methods that it can re-weight.
    assert entries == {f"methods/entries/{name}" for name in ("__init__", "icr", "core", "qrhead", "reattn")}
    assert not any(name.startswith(("generative/generate", "rerankers/routehead")) for name in few)
    assert {"heads/detection"} <= watched("detect", "core")
    assert {"heads/selection", "methods/entries/headrank"} <= watched("select", "headrank")
    assert {"generative/setwise"} <= watched("generate", "setwise")
    # A table shows the titles of all, whatever they are made of.
    shown = watched("table", loads=[TABLES["main"].module])
    assert "tables/main" in shown
    assert "tables/claims" not in shown
    assert {f"methods/entries/{path.stem}" for path in ENTRIES.glob("*.py")} <= shown
    assert not any(name.startswith("rerankers/") for name in shown)


def test_a_job_watches_the_metrics_that_it_is_asked_for_and_no_others() -> None:
    """So that a new metric, or a change of one, does not train anything again."""

    def kinds(script: str, *metrics: str) -> set[str]:
        found = watched(script, loads=modules_of_metrics(metrics) if metrics else [])
        return {
            name.removeprefix("evaluation/metrics/")
            for name in found
            if name.startswith("evaluation/metrics/")
        }

    assert kinds("evaluate", "map", "rr") == {"__init__", "map", "rr", *kinds("evaluate")}
    # What the code itself names: held-out nDCG@10, and the published figures of the first stage.
    assert kinds("train") == {"__init__", "ndcg"}
    assert kinds("first_stage") == {"__init__", "ndcg", "recall"}
    assert kinds("index") == set()


def watched(script: str, *methods: str, loads: Sequence[str] = ()) -> set[str]:
    """What the workflow finds for a script that builds these methods, or loads modules by their names."""
    path = REPOSITORY / "workflow" / "scripts" / f"{script}.py"
    files = library_files(path, methods or None, tuple(loads))
    return {file.relative_to(SOURCE / "headrank").as_posix().removesuffix(".py") for file in files}


def watched_files() -> dict[str, set[str]]:
    """What the workflow finds for each script, whatever methods it builds."""
    return {script: watched(script) for _, script, _ in rules()}


def test_a_change_of_a_script_counts_whatever_its_date_and_so_does_the_library_s_version(
    tmp_path: Path,
) -> None:
    """Snakemake itself goes by a script's date."""
    script = tmp_path / "lists.py"
    shutil.copy2(REPOSITORY / "workflow" / "scripts" / "lists.py", script)
    before, there = library_digest(script), script.stat()
    script.write_text(script.read_text(encoding="utf-8").replace("exclude=", "exclude= "), encoding="utf-8")
    os.utime(script, ns=(there.st_atime_ns, there.st_mtime_ns))
    # Each start of the workflow reads files once.
    library._digest.cache_clear()
    assert library_digest(script) != before
    assert all("__init__" in files for files in watched_files().values())
    # The file of the record that a change reran nothing for.
    assert {"data/trec/runs", "data/beir", "jobs/job", "jobs/made"} <= watched("training_set")
