"""The versions of what results depend on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

PACKAGES = (
    *("torch", "transformers", "peft", "safetensors", "tokenizers", "bm25s", "PyStemmer", "ir_datasets"),
    *("pytrec_eval-terrier", "snakemake", "numpy", "scipy", "pandas", "pyarrow", "statsmodels", "matplotlib"),
)


def software() -> dict[str, Any]:
    """Python's version and those of ``PACKAGES``, as this interpreter finds them; None for one that it does not find.

    With conda, jobs run in several environments: the versions are those of the environment at hand and, for what it
    lacks, of the one that Snakemake runs in.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
