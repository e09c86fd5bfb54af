"""What the modules of ``headrank.tables`` and ``headrank.figures`` say about themselves, read without loading them.

A module that makes a table or figure of a study has these constants:
``CAPTION``, for the report;
``FRAMES``, argument of its function -> metrics file, in which {backbone} and {shape} stand for each backbone or shape
of the bench;
``OPTIONS``, argument -> which value of the study it gets (``headrank.workflow.artefacts``);
``NEEDS``, what a study must have for it.
They are literals: the modules load pandas and matplotlib, which would cost every start of the workflow a second.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import headrank
from headrank.errors import InputError

_ROOT = Path(headrank.__file__).parent
_CONSTANTS = ("CAPTION", "FRAMES", "OPTIONS", "NEEDS")


@dataclass(frozen=True)
class Shown:
    """A table or figure. module: the one that makes it, by a function ``NAME_table`` or ``NAME_figure``."""

    module: str
    caption: str
    frames: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def shown(package: str) -> dict[str, Shown]:
    """All that a package, "tables" or "figures", describes, by name.

    Raises InputError for a constant that is no literal, or frames without a caption.
    """
    found = {}
    for file in sorted(_ROOT.joinpath(package).glob("*.py")):
        said = _constants(file)
        if "FRAMES" in said:
            if "CAPTION" not in said:
                raise InputError(f"{file.name}: FRAMES without a CAPTION")
            values = {name.lower(): value for name, value in said.items()}
            found[file.stem] = Shown(f"headrank.{package}.{file.stem}", **values)
    return found


def _constants(file: Path) -> dict[str, Any]:
    found = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in _CONSTANTS:
                try:
                    found[name] = ast.literal_eval(node.value)
                except ValueError:
                    raise InputError(f"{file.name}, line {node.lineno}: {name} is no literal") from None
    return found
