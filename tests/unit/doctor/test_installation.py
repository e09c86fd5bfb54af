"""Checks of software, system and folders: each tells what is there, and what is wrong with it."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from folders import REPOSITORY

from headrank.doctor import places, system, versions
from headrank.doctor.check import PREREQUISITE, RESOURCE, Check
from headrank.doctor.examine import _done
from headrank.doctor.versions import clone, own_version, package_versions, python_version
from headrank.engine import tiles
from headrank.errors import InputError
from headrank.provenance.software import PACKAGES


def warned(check: Check, *words: str) -> None:
    assert check.mark == "warning"
    assert check.status == 0
    assert check.advice
    assert all(word in check.line() for word in words), check.line()


def test_another_python_than_the_tests_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sys.version.split()[0] in python_version().found
    monkeypatch.setattr(versions, "PYTHON", (3, 2))
    warned(python_version(), "3.2")


def test_the_clone_is_found_and_its_versions_are_the_constraints() -> None:
    assert clone() == REPOSITORY
    tested = versions.tested_versions(REPOSITORY)
    assert tested is not None
    assert tested["torch"] == "2.13.0"
    assert versions.tested_versions(None) is None
    assert {name for name in PACKAGES if name not in versions.OPTIONAL} <= tested.keys()


def test_packages_that_may_be_missing_are_those_that_the_library_does_not_need() -> None:
    needed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    for name in PACKAGES:
        assert any(entry.startswith(name) for entry in needed) != (name in versions.OPTIONAL), name


def test_another_version_is_a_warning_and_a_missing_package_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: dict[str, str | None] = {"torch": "2.13.0+cpu", "numpy": "2.4.6", "snakemake": None}
    monkeypatch.setattr(versions, "software", lambda: {"packages": installed})
    (tmp_path / versions.NAME).write_text("# versions\ntorch==2.13.0\nnumpy==2.4.6\n", encoding="utf-8")
    assert package_versions(tmp_path).mark == "ok"
    assert "no constraints.txt" in package_versions(None).found
    installed["numpy"] = "2.5.0"
    warned(package_versions(tmp_path), "numpy 2.5.0 (tested: 2.4.6)")
    assert "torch" not in package_versions(tmp_path).found
    installed["torch"] = None
    check = package_versions(tmp_path)
    assert (check.mark, check.status) == ("failed", PREREQUISITE)
    assert check.found == "torch not installed"


def test_a_package_that_is_not_the_clone_s_is_told(tmp_path: Path) -> None:
    found = own_version(REPOSITORY)
    head = ["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"]
    assert subprocess.run(head, capture_output=True, text=True).stdout.strip() in found.found
    assert found.mark == "ok"
    shutil.copytree(REPOSITORY / "src" / "headrank", tmp_path / "src" / "headrank")
    assert own_version(tmp_path).mark == "ok"
    (tmp_path / "src" / "headrank" / "errors.py").write_text("", encoding="utf-8")
    warned(own_version(tmp_path), "install it again")


def test_encodings_that_cannot_hold_every_text_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert system.encodings().mark == "ok"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    warned(system.encodings(), "output ascii", "PYTHONUTF8=1")


def test_a_missing_git_and_another_system_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system.git().mark == "ok"
    monkeypatch.setenv("PATH", "")
    warned(system.git(), "none that runs")
    assert system.platform_check().mark == "ok"
    monkeypatch.setattr(system.platform, "system", lambda: "Haiku")
    warned(system.platform_check(), "Linux")


def test_more_threads_than_cores_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = system.usable_cores()
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    assert system.threads().mark == "ok"
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores + 1)
    warned(system.threads(), f"OMP_NUM_THREADS={cores}")


def test_attention_that_was_not_compiled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "kernel", lambda: None)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    warned(system.compiled_attention(), "compiler")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"neon": True})
    assert system.compiled_attention().mark == "ok"


def test_the_compiled_attention_is_named_by_its_instructions() -> None:
    if tiles.kernel() is None:
        pytest.skip("nothing is compiled here")
    assert any(name in system.compiled_attention().found for name in ("AVX2", "AVX-512"))


def test_a_device_that_is_not_there_fails() -> None:
    assert system.device("cpu").mark == "ok"
    check = system.device("cuda:99")
    assert (check.mark, check.status) == ("failed", PREREQUISITE)
    assert check.found.startswith("cuda:99 cannot be used")


def test_a_gpu_that_pytorch_does_not_see_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(system, "gpus", list)
    assert system.device("auto").mark == "ok"
    monkeypatch.setattr(system, "gpus", lambda: [{"name": "NVIDIA H200"}])
    warned(system.device("auto"), "NVIDIA H200", "build of PyTorch")
    assert system.device("cpu").mark == "ok"


def test_a_device_that_multiplies_16_bits_wrongly_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def product(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        return torch.matmul(one, two) * (1.1 if one.dtype == torch.bfloat16 else 1)

    monkeypatch.setattr(torch.Tensor, "__matmul__", product)
    warned(system.device("cpu"), "bfloat16 is off by 0.1", "float32")


def test_little_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {"results": tmp_path / "not" / "yet", "hub cache": tmp_path}
    monkeypatch.setattr(places, "LITTLE", 0)
    check = places.free_disk(folders)
    assert check.mark == "ok"
    assert check.found.count("GB for") == 2
    monkeypatch.setattr(places, "LITTLE", 1e9)
    warned(places.free_disk(folders), "too little")


def test_folders_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    good = places.writable({"GGUF cache": tmp_path / "a" / "b"})
    assert [check.mark for check in good] == ["ok"]
    assert not any(tmp_path.iterdir())
    # In /proc nobody makes files, root neither.
    cache, results = places.writable({"GGUF cache": Path("/proc/cache"), "results": Path("/proc")})
    assert (cache.mark, cache.status) == ("failed", PREREQUISITE)
    assert "HEADRANK_CACHE" in cache.advice
    warned(results, "/proc")


def test_folders_without_a_home_are_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("HEADRANK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (check,) = _done("folders", PREREQUISITE, lambda: places.examine_folders(places.folders()))
    assert (check.mark, check.status) == ("failed", PREREQUISITE)
    assert "home directory" in check.found


def test_named_folders_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRANK_DATA", str(tmp_path))
    monkeypatch.delenv("HEADRANK_MODELS", raising=False)
    data, models = places.variables()
    assert data.mark == models.mark == "ok"
    assert data.found.endswith("0 entries")
    assert models.found.startswith("not set")
    monkeypatch.setenv("HEADRANK_MODELS", str(tmp_path / "none"))
    _, models = places.variables()
    assert (models.mark, models.status) == ("failed", RESOURCE)


def test_the_user_s_name_is_not_in_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("HEADRANK_MODELS", str(tmp_path / "models"))
    assert [check.found for check in places.variables()][1] == "~/models, 0 entries"


@pytest.mark.parametrize("error", [ImportError("no\nlibrary"), InputError("no library")])
def test_a_check_that_breaks_has_failed(error: Exception) -> None:
    def broken() -> Any:
        raise error

    (check,) = _done("device", PREREQUISITE, broken)
    assert (check.name, check.mark, check.status) == ("device", "failed", PREREQUISITE)
    assert "no library" in check.found
    assert "\n" not in check.line()
