"""Which files of the library decide what a script writes: a rule has their digest as a parameter, so that a change
reruns it, and a new date or another place of the same files does not.
"""

import ast
import hashlib
from functools import cache

import headrank

SOURCE = os.path.dirname(headrank.__file__)


@cache
def loaded(path):
    """Names of the library's modules that a Python file imports, within functions too, but not for type checking."""
    with open(path, encoding="utf-8") as stream:
        todo = [ast.parse(stream.read())]
    names = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
        todo += ast.iter_child_nodes(node)
    return {name.removeprefix("headrank.") for name in names if name.startswith("headrank.")}


@cache
def sources_in_c(folder):
    return (
        [name for name in os.listdir(folder) if name.endswith((".c", ".h"))] if os.path.isdir(folder) else []
    )


def watched(script):
    """The library's files that a script loads, itself apart, wherever it loads them from."""
    found, todo = set(), [str(workflow.source_path(f"../scripts/{script}.py"))]
    while todo:
        for name in loaded(todo.pop()):
            parts = name.split(".")
            # A package's own file is run before its modules; what a module defines has no file.
            for place in ("/".join(parts[: i + 1]) for i in range(len(parts))):
                for file in (f"{SOURCE}/{place}.py", f"{SOURCE}/{place}/__init__.py"):
                    if os.path.isfile(file) and file not in found:
                        found.add(file)
                        todo.append(file)
            # What a package has in C is compiled at its installation.
            folder = f"{SOURCE}/{'/'.join(parts)}"
            found.update(f"{folder}/{name}" for name in sources_in_c(folder))
    return sorted(found)


@cache
def digest_of(file):
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def library(script):
    """One digest of the names and contents of all files that a script loads."""
    lines = [f"{os.path.relpath(file, SOURCE)} {digest_of(file)}" for file in watched(script)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
