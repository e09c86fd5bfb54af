"""Which files of the library decide what a script writes.

The code of a method in the table of methods is loaded when the method is built, and a job builds only some methods:
their files count, with all that they load, and those of other methods do not. Where no methods are named, all
descriptions count (a table shows their titles), but not the code that they would load. Metrics, too, are loaded by
name: those that a file names (``"ndcg@10"``) count, besides the modules that the rule says it loads.

A rule has the digest of these files as a parameter. So a change in one of them or in the script reruns the rule,
whatever its date, but a new date or location of the same files does not.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import headrank
from headrank.data.digests import file_digest
from headrank.methods.table import modules_of

ROOT = Path(headrank.__file__).parent
METRICS_PACKAGE = "headrank.evaluation.metrics"
# A metric in a string, as ``evaluate`` takes it; without a cut-off it could be any word.
_METRIC = re.compile(r"([a-z][a-z0-9_]*)(?:\(rel=[0-9]+\))?@[0-9]+")
TABLE, ENTRIES = ROOT / "methods" / "table.py", ROOT / "methods" / "entries"


def library_digest(
    script: str | Path, methods: Sequence[str] | None = None, loads: Sequence[str] = ()
) -> str:
    """One digest of the script and of the names and contents of all files of the library that it loads.

    methods: those that it builds, or whose criteria choose heads in it. loads: modules that it loads by name.
    """
    files = library_files(Path(script), None if methods is None else tuple(methods), tuple(loads))
    lines = [f"{file.relative_to(ROOT).as_posix()} {_digest(file)}" for file in files]
    lines.append(f"{Path(script).name} {_digest(Path(script))}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def library_files(
    script: Path, methods: tuple[str, ...] | None = None, loads: tuple[str, ...] = ()
) -> tuple[Path, ...]:
    """The library's files that a script loads at any point, without the script itself; sorted.

    methods: those that it builds. loads: modules that it loads by name.
    """
    named = list(map(_file_of, loads))
    # The library's own file holds its version, which goes into head sets.
    found = {ROOT / "__init__.py", *named, *_loaded([script, *named], built=False)}
    if TABLE in found:
        described = (
            list(map(_file_of, modules_of(methods))) if methods is not None else [*ENTRIES.glob("*.py")]
        )
        found |= {*described, *_loaded(described, built=methods is not None)}
    return tuple(sorted(found))


def _loaded(files: Iterable[Path], built: bool) -> set[Path]:
    """The library's files that these files load, directly or not.

    built: including what a method's description loads when the method is built.
    """
    found: set[Path] = set()
    todo = list(files)
    while todo:
        file = todo.pop()
        for name in _imported(file, built or file.parent != ENTRIES):
            parts = name.split(".")
            # A package's own file is run before its modules; a name that a module defines has no file.
            for place in (ROOT.joinpath(*parts[: i + 1]) for i in range(len(parts))):
                for file in (place.with_suffix(".py"), place / "__init__.py"):
                    if file.is_file() and file not in found:
                        found.add(file)
                        todo.append(file)
            # A package's C sources count too: they are compiled at its installation.
            found.update(_sources_in_c(ROOT.joinpath(*parts)))
    return found


def _file_of(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")


@cache
def _imported(path: Path, when_called: bool) -> frozenset[str]:
    """Names of the library's modules that a Python file imports, except for type checking.

    when_called: including imports within functions.
    """
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    names: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.FunctionDef) and not when_called:
            continue
        if isinstance(node, ast.Constant) and (match := _METRIC.fullmatch(str(node.value))):
            names.add(f"{METRICS_PACKAGE}.{match[1]}")
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
