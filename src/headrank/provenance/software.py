"""The versions of the software that results depend on."""

from __future__ import annotations

import platform
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

PACKAGES = (
    *(
        "torch",
        "transformers",
        "peft",
        "safetensors",
        "tokenizers",
        "gguf",
        "bm25s",
        "PyStemmer",
        "ir_datasets",
    ),
    *("pytrec_eval-terrier", "snakemake", "numpy", "scipy", "pandas", "pyarrow", "statsmodels", "matplotlib"),
)


def software() -> dict[str, Any]:
    """Python's version and those of ``PACKAGES``, as this interpreter finds them; None for one that it does not find.

    With conda, jobs run in several environments: the versions are those of the current environment and, for what it
    lacks, of the one that Snakemake runs in. compiled: modules of this package that were compiled at its installation.
    """
    files = Path(__file__).parents[1].rglob("*")
    built = {path.name.split(".")[0] for path in files if path.name.endswith(tuple(EXTENSION_SUFFIXES))}
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "compiled": sorted(built),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
