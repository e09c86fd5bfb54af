"""The record of one study's origin: assembled from its results folder and configuration, and read back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrank.data.digests import combined_digest, file_digest, files_under
from headrank.data.json_files import read_json
from headrank.data.leakage import NAME as LEAKAGE
from headrank.data.leakage import NEAR, read_leaks
from headrank.engine.gguf.origin import read_origin
from headrank.errors import InputError, NotFoundError, PrerequisiteError
from headrank.provenance.code import code_version
from headrank.provenance.machine import energy, machine
from headrank.provenance.software import software
from headrank.provenance.time import wall_time

NAME = "provenance.json"
SCHEMA = 1
# What a collection's folder holds for later stages.
EXPORTED = ("queries.jsonl", "qrels.trec", "candidates.trec", "passages.jsonl")


def record(
    root: str | os.PathLike[str],
    configuration: Mapping[str, Any],
    repository: str | os.PathLike[str],
    models: Collection[str],
    skip: Collection[str] = (),
) -> dict[str, Any]:
    """Everything that ``provenance.json`` says (docs/provenance.md describes its keys).

    root: the results folder of a finished study. configuration: with its defaults filled in. models: names of the
    backbones and rerankers under ``root``. skip: rules whose times are left out, as they are running or run later.
    """
    place = Path(root)
    specs = {**configuration["backbones"], **configuration["rerankers"]}
    return {
        "schema": SCHEMA,
        "study": configuration["name"],
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": code_version(repository),
        "software": software(),
        "configuration": {"sha256": configuration_digest(configuration), "values": configuration},
        "seeds": dict(seeds(configuration)),
        "models": {name: _model(place / "backbones" / name, specs[name]) for name in models},
        "collections": _collections(place / "collections", configuration),
        **_leakage(place / LEAKAGE),
        "machine": machine(),
        "time": wall_time(place / "benchmarks", skip),
        "energy": energy(),
    }


def configuration_digest(configuration: Mapping[str, Any]) -> str:
    """SHA-256 of the configuration as JSON with sorted keys and no blanks: order and layout do not count."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def seeds(configuration: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every key called ``seed``."""
    if isinstance(configuration, Mapping):
        for key, value in configuration.items():
            if key == "seed":
                yield f"{place}{key}", value
            else:
                yield from seeds(value, f"{place}{key}.")


def read_provenance(root: str | os.PathLike[str]) -> dict[str, Any]:
    """The record in a results folder; InputError when there is none or it has another schema."""
    path = Path(root) / NAME
    try:
        content = read_json(path, "provenance")
    except NotFoundError as error:
        raise PrerequisiteError(f"{error}; finish the study first") from None
    needed = {"code", "software", "configuration", "models", "collections", "machine", "time"}
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise InputError(f"{path}: not a provenance record of schema {SCHEMA}")
    if lacking := sorted(name for name in needed if not isinstance(content.get(name), dict)):
        raise InputError(f"{path}: the provenance lacks {', '.join(lacking)}; make it again")
    return content


def _model(directory: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Where a model is from, and the digest of the files used: no hub or local folder guarantees that they stay."""
    told = {key: spec[key] for key in ("source", "id", "file", "revision", "path") if spec.get(key)}
    origin = read_origin(directory)
    told |= {"gguf": origin} if origin else {}
    files = {name: file_digest(directory / name) for name in files_under(directory)}
    return {**told, "sha256": combined_digest(files), "files": files}


def _leakage(path: Path) -> dict[str, Any]:
    """What the study learned from that it was tested on; nothing where it learns from no queries."""
    if not path.is_file():
        return {}
    leaks, action = read_leaks(path)
    return {"leakage": {"action": action, "near": NEAR, "queries": list(map(dataclasses.asdict, leaks))}}


def _collections(directory: Path, configuration: Mapping[str, Any]) -> dict[str, Any]:
    roles = {"training": "train_on", "detection": "detect_on", "benchmark": "panel"}
    found = {}
    for name, spec in configuration["collections"].items():
        mine = [role for role, key in roles.items() if name in configuration[key]]
        if mine:
            keys = ("source", "id", "path", "run", "order_by", "synthetic")
            told = {key: spec[key] for key in keys if spec.get(key)}
            digests = {file: file_digest(directory / name / file) for file in EXPORTED}
            found[name] = {**told, "roles": mine, "sha256": digests}
    return found
