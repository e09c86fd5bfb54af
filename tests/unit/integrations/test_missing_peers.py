"""Integrations without the library that they are for: one line that names what to install."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from headrank.errors import PrerequisiteError, UsageError
from headrank.integrations.given import check_arguments, loaded

REPOSITORY = Path(__file__).parents[3]
# File of the package -> the package from outside that it imports, and the extra that installs it.
PEERS = {
    "pyterrier": ("pyterrier", "pyterrier"),
    "rerankers": ("rerankers", "rerankers"),
    "mteb": ("mteb", "mteb"),
    "langchain": ("langchain_core", "langchain"),
    "llama_index": ("llama_index", "llama-index"),
    "haystack": ("haystack", "haystack"),
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(path: Path) -> dict[str, str]:
    """Distribution -> version of a file of constraints."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("name", PEERS)
def test_a_library_that_is_not_there_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, extra = PEERS[name]
    # Absent, whether it is installed or not.
    for known in [known for known in sys.modules if known.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"headrank.integrations.{name}", raising=False)
    with pytest.raises(PrerequisiteError) as caught:
        importlib.import_module(f"headrank.integrations.{name}")
    message = str(caught.value)
    assert message.endswith(f"pip install 'headrank[{extra}]'")
    assert re.search(rf"cannot be imported \(.*\b{module}\b.*\)", message)
    assert "\n" not in message
    assert caught.value.exit_status == 3


def test_every_file_is_of_one_library_and_its_extra_is_declared() -> None:
    files = {path.stem for path in (REPOSITORY / "src/headrank/integrations").glob("*.py")}
    assert files == {*PEERS, "given", "__init__"}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for _, extra in PEERS.values():
        assert len(extras[extra]) == 1
        assert extra in extras["test-frameworks"][0]


def test_the_libraries_that_the_tests_run_with_are_pinned_once() -> None:
    own = pinned(REPOSITORY / "tests/frameworks/constraints.txt")
    shared = pinned(REPOSITORY / "constraints.txt")
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in own.values())
    assert not set(own) & set(shared)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for _, extra in PEERS.values():
        (needed,) = project["optional-dependencies"][extra]
        assert normal(re.split("[><=]", needed)[0]) in own


def test_the_library_itself_needs_none_of_them() -> None:
    peers = {module for module, _ in PEERS.values()}
    code = (
        "import sys, headrank.api, headrank.integrations.given, headrank.cli;"
        f"print(sorted({peers} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("reranker", "options", "told"),
    [
        (None, {}, "reranker: give a loaded Reranker, or its arguments by name"),
        ("icr", {}, "reranker: expected a loaded Reranker, got 'icr'; give its arguments by name"),
        (None, {"bakbone": "x"}, "bakbone: unknown argument; did you mean 'backbone'"),
        (None, {"method": "icr"}, "method icr: needs backbone"),
    ],
)
def test_either_a_reranker_or_its_arguments(reranker: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=f"^{told}"):
        loaded(reranker, options)
    if options != {"method": "icr"}:
        with pytest.raises(UsageError, match=f"^{told}"):
            check_arguments(reranker, options)
