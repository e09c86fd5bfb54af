"""``headrank export``: its three kinds, and options that belong to another kind."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants as client
import pytest
from exports import trained
from folders import results_folder
from support import checkpoint

from headrank import Reranker
from headrank.cli import main


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--run", "x", "--license", "MIT"], "--license: does not go with --run; leave it out"),
        (["--crate", "x", "--base", "a/b"], "--base: does not go with --crate; leave it out"),
        (["--adapter", "x", "--citation", "y"], "--citation: does not go with --adapter; leave it out"),
    ],
)
def test_options_of_another_kind_are_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *arguments, "--output", "out"]) == 2
    assert capsys.readouterr().err == f"error: {told}\n"


def test_a_crate_and_a_run_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, crate = results_folder(tmp_path / "study"), tmp_path / "crate"
    run, output = study / "runs/small/own/icr.trec", tmp_path / "icr.run"
    assert main(["export", "--crate", str(study), "--license", "CC-BY-4.0", "--output", str(crate)]) == 0
    files = [path for path in crate.rglob("*") if path.is_file()]
    assert capsys.readouterr().out == f"crate\t{crate}\nfiles\t{len(files) - 1}\n"
    assert main(["export", "--run", str(run), "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"run\t{output}\nmetadata\t{output}.ir-metadata.yml\n"
    (tmp_path / "none").mkdir()
    unfinished = ("--crate", str(tmp_path / "none"), "--license", "MIT")
    assert main(["export", *unfinished, "--output", str(tmp_path / "x")]) == 3
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'none'}: has no manifest.sha256")


@pytest.mark.slow
def test_an_adapter_is_written_loaded_and_the_next_step_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    adapter, output = trained(tmp_path / "adapter"), tmp_path / "out"
    given = ("--license", "mit", "--name", "org/mine", "--base", f"maker/tiny@{'0' * 40}")
    assert main(["export", "--adapter", str(adapter), "--output", str(output), *given]) == 0
    lines = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert lines == {
        "adapter": str(output),
        "base": f"maker/tiny@{'0' * 40}",
        "check": "loaded again, it gives equal scores",
        "upload": f"hf upload org/mine {output}",
    }
    Reranker.load(output, checkpoint("qwen3"), check=True)
