"""Local collections, models, runs and tokenizers that are not where the configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headrank.engine.gguf.find import absent, find_gguf

MODEL_SECTIONS = ("backbones", "rerankers", "encoders")


def faults_of_places(config: Mapping[str, Any], data: str) -> Iterator[str]:
    """One line for each file that is missing. data: the folder that paths of the configuration are relative to."""
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
