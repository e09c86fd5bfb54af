"""Which training run a checkpoint belongs to: digests of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from headrank.engine.backbone import Backbone
from headrank.heads.head_set import HeadSet
from headrank.settings import Settings, to_mapping
from headrank.training.examples import Example

# These settings change how a run is carried out, not its result.
_NO_MATTER = ("checkpoint_every", "cache_gib", "activation_gib")


def identity(
    backbone: Backbone, heads: HeadSet, examples: Sequence[Example], settings: Settings
) -> dict[str, str]:
    """Digests of everything that a run's result depends on, by name."""
    given = to_mapping(settings)
    given["training"] = {k: v for k, v in given["training"].items() if k not in _NO_MATTER}
    parameter = next(backbone.model.parameters())
    model = [
        backbone.identity.fingerprint or backbone.name,
        backbone.depth,
        str(parameter.dtype),
        parameter.device.type,
    ]
    return {
        "settings": _digest(given),
        "heads": _digest(heads.heads),
        "backbone": _digest(model),
        "lists": _lists_digest(examples),
        "code": _code_digest(),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _lists_digest(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for e in examples:
        p = e.prompt
        digest.update(json.dumps([e.list_id, e.qid, e.sample, p.text, p.labelled, p.blocks, p.kept]).encode())
        for values in (p.prefix, p.query.ids, p.query.query, e.grades, e.base, e.pairs):
            array = np.asarray(values)
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def _code_digest() -> str:
    digest = hashlib.sha256()
    for package in ("torch", "transformers", "peft", "numpy"):
        digest.update(f"{package} {version(package)}".encode())
    root = Path(__file__).parents[1]
    for file in sorted(path for kind in ("*.py", "*.[ch]") for path in root.rglob(kind)):
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
