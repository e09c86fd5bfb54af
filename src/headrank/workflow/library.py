"""Which files of the library decide what a script writes.

A rule has their digest as a parameter, so that a change in one of them reruns the rule, and a new date or another place
of the same files does not.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

import headrank
from headrank.data.digests import file_digest

ROOT = Path(headrank.__file__).parent


def library_digest(script: str | Path) -> str:
    """One digest of the names and contents of all files of the library that a script loads."""
    lines = [f"{file.relative_to(ROOT).as_posix()} {_digest(file)}" for file in library_files(Path(script))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def library_files(script: Path) -> tuple[Path, ...]:
    """The files that a script loads, itself apart, wherever it loads them from; sorted."""
    found: set[Path] = set()
    todo = [script]
    while todo:
        for name in _imported(todo.pop()):
            parts = name.split(".")
            # A package's own file is run before its modules; what a module defines has no file.
            for place in (ROOT.joinpath(*parts[: i + 1]) for i in range(len(parts))):
                for file in (place.with_suffix(".py"), place / "__init__.py"):
                    if file.is_file() and file not in found:
                        found.add(file)
                        todo.append(file)
            # What a package has in C is compiled at its installation.
            found.update(_sources_in_c(ROOT.joinpath(*parts)))
    return tuple(sorted(found))


@cache
def _imported(path: Path) -> frozenset[str]:
    """Names of the library's modules that a Python file imports, within functions too, but not for type checking."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    names: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
        todo += ast.iter_child_nodes(node)
    return frozenset(name.removeprefix("headrank.") for name in names if name.startswith("headrank."))


@cache
def _sources_in_c(folder: Path) -> tuple[Path, ...]:
    return tuple(path for kind in ("*.c", "*.h") for path in folder.glob(kind)) if folder.is_dir() else ()


@cache
def _digest(file: Path) -> str:
    return file_digest(file)
