"""BM25 uses no JAX: neither where it is installed, nor where the process has loaded it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src"
JAX = """
def top_k(*_):
    raise SystemExit("JAX was used")
"""
# All that takes something from bm25s.
USES = """
import sys
from headrank.data.collections import Document
from headrank.data.leakage import find_leaks
from headrank.retrieval.bm25_index import Bm25Index, build_index

build_index([Document("a", "", "red oak"), Document("b", "", "blue sky, red sea")], sys.argv[1])
print([docid for docid, _ in Bm25Index(sys.argv[1]).search("blue seas", 2)])
print(len(find_leaks({"training": {"c": {"t": "the red oak"}}}, {"test": {"q": "red oak"}})))
print("jax" in sys.modules)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> dict[str, str]:
    """An environment in which there is a ``jax`` whose use ends the process."""
    place = tmp_path / "site" / "jax"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("from jax import lax\n")
    (place / "lax.py").write_text(JAX)
    return {**os.environ, "PYTHONPATH": f"{place.parent}{os.pathsep}{SOURCE}"}


def printed(program: str, environment: dict[str, str], *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_bm25_neither_loads_nor_uses_jax(stand_in: dict[str, str], tmp_path: Path) -> None:
    assert printed(USES, stand_in, str(tmp_path / "index")) == ["['b']", "1", "False"]


def test_nor_does_it_where_the_process_has_loaded_jax(stand_in: dict[str, str], tmp_path: Path) -> None:
    loaded = f"import jax\n{USES}\nprint(sys.modules['jax'] is jax, sys.modules['jax.lax'] is jax.lax)"
    assert printed(loaded, stand_in, str(tmp_path / "index")) == ["['b']", "1", "True", "True True"]


def test_jax_can_be_loaded_afterwards(stand_in: dict[str, str]) -> None:
    program = "import headrank.process.bm25s_without_jax, jax.lax\nprint(jax.lax.top_k.__name__)"
    assert printed(program, stand_in) == ["top_k"]


def test_no_other_module_imports_bm25s() -> None:
    importing = [
        path.name
        for path in SOURCE.rglob("*.py")
        if re.search(r"^\s*(import|from) bm25s\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == ["bm25s_without_jax.py"]
