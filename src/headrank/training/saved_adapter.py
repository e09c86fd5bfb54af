"""Reads an adapter's folder and checks that it is what training wrote: its files, its heads, its settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrank.data.digests import file_digest
from headrank.data.json_files import read_object
from headrank.engine.identity import Identity
from headrank.engine.lora_files import CONFIG, WEIGHTS, read_lora
from headrank.errors import InputError, unreadable
from headrank.heads.head_set import HeadSet
from headrank.settings import Settings
from headrank.training.exported import Exported, find_base, read_exported

SCHEMA = 1
DESCRIPTION = "headrank_config.json"
HEADS = "heads.json"
# What the digests in the description vouch for. Curves and steps are measurements beside it.
VOUCHED = (WEIGHTS, CONFIG, HEADS)
_AGAIN = "restore the folder as training wrote it, or train again"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedAdapter:
    """An adapter's folder. base: the model that it was trained on. name: what it was trained as (a method or a variant
    of a study); None in folders of earlier versions. revision: of a base from the hub, where one was asked for.
    exported: what `headrank export` added; None in folders that training wrote.
    """

    folder: Path
    base: Identity
    heads: HeadSet
    settings: Settings
    name: str | None
    revision: str | None
    exported: Exported | None = None

    def base_to_load(self) -> tuple[str, str | None]:
        """What is loaded if no base model is given: folder, GGUF file or hub id, and its revision if it has one.

        A GGUF file that an exported adapter names is downloaded if it is not here (``exported.find_base``).
        """
        return (
            find_base(self.exported.base, self.folder) if self.exported else (self.base.name, self.revision)
        )

    def fits(self, model: Identity) -> None:
        """Refuse another base model than the adapter's own."""
        self.base.check(model, str(self.folder), "trained on", "give that one, or train again")


def read_adapter(directory: str | Path) -> SavedAdapter:
    """An adapter's folder; InputError names the file that is missing, malformed, or not the one that was saved."""
    folder = Path(directory)
    path = folder / DESCRIPTION
    told = read_object(path, "adapter description")
    _count(told, "schema", path)
    if told["schema"] != SCHEMA:
        raise InputError(f"{path}: schema {told['schema']} is not known; this version reads schema {SCHEMA}")
    n_layers, depth = (_count(told, key, path) for key in ("n_layers", "depth"))
    model = _text(told, "backbone", path)
    fingerprint = _text(told, "backbone_fingerprint", path, optional=True)
    _check_files(folder, told, path)
    heads = HeadSet.load(folder / HEADS)
    # Earlier versions did not record how many heads a layer has: the base has to have as many as the head set says.
    n_heads = _count(told, "n_heads", path, optional=True) or heads.n_heads
    others = heads.fingerprint and fingerprint and heads.fingerprint != fingerprint
    if others or (heads.n_layers, heads.depth) != (n_layers, depth):
        raise InputError(
            f"{folder / HEADS}: other heads than the adapter was trained with: of {heads.model}, {heads.n_layers}"
            f" layers of {heads.n_heads} heads, needed down to layer {heads.deepest}; {_AGAIN}"
        )
    base = Identity(model, n_layers, n_heads, fingerprint)
    try:
        settings = Settings.from_mapping(told.get("settings", {}))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if "files" not in told:
        _check_strength(folder, settings)
    name = _text(told, "trained_as", path, optional=True)
    revision = _text(told, "backbone_revision", path, optional=True)
    return SavedAdapter(folder, base, heads, settings, name, revision, read_exported(told, path))


def _check_files(folder: Path, told: dict[str, Any], path: Path) -> None:
    """Compare the files with their digests; earlier versions recorded that of the weights only."""
    digests = told.get("files")
    if digests is None:
        digests = {WEIGHTS: told.get("weights_sha256")}
    if not isinstance(digests, dict) or not all(isinstance(digest, str) for digest in digests.values()):
        raise InputError(f"{path}: no readable adapter description (files: no digests); {_AGAIN}")
    if "files" in told and set(digests) != set(VOUCHED):
        raise InputError(
            f"{path}: no readable adapter description (files: not {', '.join(VOUCHED)}); {_AGAIN}"
        )
    for name, digest in digests.items():
        try:
            found = file_digest(folder / name)
        except OSError as error:
            raise unreadable(error)(
                f"{folder / name}: no readable adapter ({error.strerror or error})"
            ) from error
        if found != digest:
            raise InputError(
                f"{folder / name}: damaged or changed, its checksum is not the one in {path.name}; {_AGAIN}"
            )


def _check_strength(folder: Path, settings: Settings) -> None:
    """Compare LoRA's numbers with the settings, where no digest vouches for the file that holds them."""
    lora, trained = read_lora(folder), settings.training
    for key, found, expected in (
        ("r", lora.rank, trained.lora_r),
        ("lora_alpha", lora.alpha, trained.lora_alpha),
    ):
        if found != expected:
            raise InputError(
                f"{folder / CONFIG}: {key} is {found}, but the adapter was trained with {expected}; {_AGAIN}"
            )


def _text(told: dict[str, Any], key: str, path: Path, optional: bool = False) -> Any:
    value = told.get(key)
    if not (isinstance(value, str) and value) and not (optional and value is None):
        raise InputError(f"{path}: no readable adapter description ({key}: no text); {_AGAIN}")
    return value


def _count(told: dict[str, Any], key: str, path: Path, optional: bool = False) -> Any:
    value = told.get(key)
    if not (type(value) is int and value > 0) and not (optional and value is None):
        raise InputError(f"{path}: no readable adapter description ({key}: no count); {_AGAIN}")
    return value
