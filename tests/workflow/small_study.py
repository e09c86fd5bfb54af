"""A study of two collections of four documents each and one backbone, for tests of where backbones come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

STUDY: dict[str, Any] = {
    "name": "fetched",
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
    "collections": {name: {"source": "local", "path": name, "run": "run.trec"} for name in ("t", "c")},
    "train_on": ["t"],
    "panel": ["c"],
    "methods": ["headrank-untrained"],
    "evaluation": {"baseline": "bm25"},
    "headrank": {"candidates": {"depth": 3}, "lists": {"size": 3, "pool": 3}, "selection": {"k": 2}},
}


def write_study(directory: Path, backbone: dict[str, Any], **changes: Any) -> Path:
    """Write the collections into ``data`` and the configuration beside it; returns the configuration's path."""
    for name, asked in (("t", "shared word"), ("c", "shared text word")):
        place = directory / "data" / name
        place.mkdir(parents=True, exist_ok=True)
        documents = [{"_id": f"d{i}", "title": "", "text": f"word{i} shared text"} for i in range(4)]
        (place / "corpus.jsonl").write_text("".join(f"{json.dumps(d)}\n" for d in documents))
        queries = [{"_id": f"q{i}", "text": f"{asked}{i}"} for i in (1, 2)]
        (place / "queries.jsonl").write_text("".join(f"{json.dumps(q)}\n" for q in queries))
        (place / "qrels.trec").write_text("q1 0 d1 2\nq1 0 d0 0\nq2 0 d2 1\nq2 0 d0 0\n")
        run = [f"{q} Q0 d{i} {i + 1} {4 - i} given" for q in ("q1", "q2") for i in range(3)]
        (place / "run.trec").write_text("\n".join(run) + "\n")
    path = directory / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | {"backbones": {"b": backbone}} | changes))
    return path
