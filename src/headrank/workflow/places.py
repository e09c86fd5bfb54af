"""Paths that Snakemake cannot take, and local files that are not where the configuration says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headrank.engine.gguf.find import absent, find_gguf, models_folder

# Snakemake finds wildcards in paths that come from the configuration too, and no mark makes it read a brace as one.
_UNFIT = re.compile(r"[{}\r\n]")
MODEL_SECTIONS = ("backbones", "rerankers", "encoders")


def faults_of_places(config: Mapping[str, Any], data: str) -> Iterator[str]:
    """One line for each fault. data: the folder that paths of the configuration are relative to."""
    for key, path in _paths(config, data):
        if _UNFIT.search(path):
            yield f"{key}: {path!r} has braces or a line break, which Snakemake cannot take; rename it, or use a link"
    remedy = "set the key data or the environment variable HEADRANK_DATA"
    for section, needed in (
        ("collections", "queries.jsonl"),
        *((name, "config.json") for name in MODEL_SECTIONS),
    ):
        for name, spec in config[section].items():
            place = Path(data, spec["path"], needed)
            if spec["source"] == "local" and not (place.exists() or Path(f"{place}.gz").exists()):
                yield f"{section}.{name}.path: no {place}; {remedy}"
    for section, key, needed in (("collections", "run", ""), ("backbones", "tokenizer", "tokenizer.json")):
        for name, spec in config[section].items():
            place = Path(data, spec["path"] if key == "run" else "", spec[key] or "", needed)
            if spec[key] and not place.exists():
                yield f"{section}.{name}.{key}: no {place}; {remedy}"
    for section in MODEL_SECTIONS:
        for name, spec in config[section].items():
            # Without an id on the hub, the file must be on this machine.
            if spec["source"] == "gguf" and not spec["id"]:
                file = spec["file"]
                if find_gguf(file, config["models"]) is None:
                    yield f"{section}.{name}.file: no {file}, {absent(file, config['models'])}, or the key models"


def _paths(config: Mapping[str, Any], data: str) -> Iterator[tuple[str, str]]:
    """(key, path) of every path that becomes part of a rule."""
    yield "data or HEADRANK_DATA", data
    yield "models or HEADRANK_MODELS", str(models_folder(config["models"]))
    for section in ("collections", *MODEL_SECTIONS):
        for name, spec in config[section].items():
            for key in ("path", "run", "tokenizer", "file"):
                if spec.get(key):
                    yield f"{section}.{name}.{key}", spec[key]
