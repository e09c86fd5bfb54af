"""The commands and examples of the documents, run in the order in which they stand, on the mini study."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import REPOSITORY, Block, Command, all_commands, python_blocks, reasons

from headrank.cli import main
from headrank.heads.head_set import HeadSet

pytestmark = pytest.mark.mini

# Python examples that are not run, by their place.
NOT_RUN = {
    "docs/own-method.md": "tests/workflow/test_additions.py runs a study with this method",
    "docs/explain.md": "part of an example; tests/unit/explain/test_rank_explained.py",
    "docs/export.md": "an adapter on the hub; tests/unit/export/test_exported_adapter.py",
    "docs/scores.md": "the reader's folders; tests/unit/probability/test_relevance_score.py",
    "docs/frameworks.md": "needs libraries of others; tests/frameworks runs it (make test-frameworks)",
    "score_prepared": "tests/unit/test_score_prompt.py; its paths are the reader's",
}


@pytest.fixture(scope="module")
def clone(mini_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a clone after ``make demo``."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("config", "Snakefile", "workflow", "profiles", "envs", "CITATION.cff"):
        (folder / name).symlink_to(REPOSITORY / name)
    for place in ("results", "elsewhere/results"):
        (folder / place).mkdir(parents=True)
        (folder / place / "mini").symlink_to(mini_run / "results" / "mini")
    return folder


def test_commands_run_as_they_stand(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(clone)
    done: set[str] = set()
    for command in all_commands():
        # A command that several documents show is run once: what it writes is still there.
        if not reasons(command) and command.script not in done:
            done.add(command.script)
            run(command)
            print(command.where)
    assert len(done) > 20
    assert "nDCG@10" in capsys.readouterr().out
    # As the tutorial says: these heads were planted to match words.
    assert set(HeadSet.load("heads.json").heads) == {(1, 0), (1, 1), (2, 2), (2, 3)}


def run(command: Command) -> None:
    words = command.words
    if words[0] == "headrank":
        # In this process: another one would load PyTorch each time.
        assert main(words[1:]) == 0, command.where
    elif words[0] == "snakemake":
        # The mini run made everything; another start of Snakemake would only say so (tests/workflow/test_mini.py).
        assert "config/mini.yaml" in words, command.where
        for target in words[words.index("--") + 1 :] if "--" in words else ():
            assert Path(target).exists(), (command.where, target)
    else:
        bash = subprocess.run(["bash", "-euc", command.script], capture_output=True, text=True)
        assert bash.returncode == 0, (command.where, bash.stderr)


def test_the_study_of_the_own_collection_is_one(clone: Path) -> None:
    for command in all_commands():
        if command.where.startswith("docs/own-collection.md") and not reasons(command):
            subprocess.run(["bash", "-euc", command.script], cwd=clone, check=True)
    # In place of the real model, which need not be there.
    study = (clone / "my-study.yaml").read_text(encoding="utf-8")
    model = "{source: gguf, file: SmolLM2-135M-Instruct.Q4_1.gguf}"
    assert model in study
    local = f"{{source: local, path: {clone / 'results' / 'mini' / 'backbones' / 'small'}}}"
    (clone / "other.yaml").write_text(study.replace(model, local), encoding="utf-8")
    variables = {k: v for k, v in os.environ.items() if k not in ("HEADRANK_DATA", "HEADRANK_MODELS")}
    snakemake = [sys.executable, "-m", "snakemake", "-n", "--configfile", "other.yaml"]
    told = subprocess.run(snakemake, cwd=clone, env=variables, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    assert "results/my-study/tables/main.md" in told.stdout


@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.where)
def test_python_runs_as_it_stands(clone: Path, monkeypatch: pytest.MonkeyPatch, block: Block) -> None:
    if any(part in f"{block.where}\n{block.text}" for part in NOT_RUN):
        return
    monkeypatch.chdir(clone)
    exec(compile(block.text, block.where, "exec"), {})
