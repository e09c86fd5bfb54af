"""Under which name everybody can find an adapter's base model, and under which licence it is."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrank.data.digests import file_digest
from headrank.engine.fingerprint import fingerprints
from headrank.engine.gguf.find import find_gguf, given_gguf, is_gguf
from headrank.engine.gguf.header import read_header
from headrank.engine.gguf.origin import read_origin
from headrank.engine.hub_folder import COMMIT
from headrank.engine.places import folder_of
from headrank.errors import InputError, UsageError
from headrank.training.exported import PublicBase, odd_name
from headrank.training.saved_adapter import SavedAdapter

logger = logging.getLogger(__name__)
_NAMED = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)@([0-9a-f]{40})")


def public_base(
    saved: SavedAdapter, model: str, revision: str | None, named: str | None, spec: Mapping[str, Any]
) -> PublicBase:
    """Where the base can be had.

    model, revision: as it is loaded here. named: ``ORG/NAME@COMMIT``, if the user says so. spec: what a study's
    provenance says of the model. A GGUF file is always named by its SHA-256 too.

    Raises UsageError for a repository without a commit, and InputError if the model of that name is in the hub's cache
    and is another one. A model without any public name gives an empty ``PublicBase``.
    """
    folder = folder_of(model, revision)
    origin = read_origin(folder) or {}
    repository, commit = spec.get("id") or origin.get("id"), spec.get("revision") or origin.get("revision")
    if not (Path(model).exists() or is_gguf(model)):
        repository, commit = model, revision or folder.name
    if named:
        if not (match := _NAMED.fullmatch(named)):
            raise UsageError(f"--base {named}: expected ORG/NAME@COMMIT, with the commit's 40 hex digits")
        repository, commit = match.groups()
    if repository and not COMMIT.fullmatch(str(commit)):
        raise UsageError(
            f"{repository}: no commit of the base model is known; name it: --base {repository}@COMMIT"
        )
    file, sha256 = origin.get("file"), origin.get("sha256")
    if not repository and not file:
        logger.warning(
            "%s: its base model has no public name, so others cannot load the adapter; if it has one, name it with"
            " --base ORG/NAME@COMMIT",
            saved.folder,
        )
        return PublicBase()
    if named and not file:
        _compare(saved, str(repository), str(commit))
    base = PublicBase(repository or None, commit if repository else None, file, sha256)
    if odd := odd_name(base):
        raise InputError(f"{model}: cannot be named in an export ({odd}); rename it")
    return base


def _compare(saved: SavedAdapter, repository: str, commit: str) -> None:
    """Refuse another model's name where the model of that name is at hand."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, "config.json", revision=commit)
    if not isinstance(found, str):
        logger.warning(
            "%s at %s is not in the hub's cache, so it was not compared with the adapter's base model",
            repository,
            commit,
        )
    elif saved.base.fingerprint and saved.base.fingerprint not in fingerprints(Path(found).parent):
        raise InputError(
            f"{saved.folder}: was not trained on {repository} at {commit}; its weights are others"
        )


def base_licence(model: str, base: PublicBase) -> str | None:
    """The licence that the base states: in its GGUF file, or in its model card on the hub; None if neither can be read.

    A licence is named as the hub names it, such as ``apache-2.0``.
    """
    file = given_gguf(model) if is_gguf(model) else find_gguf(base.file) if base.file else None
    # A study's folder of a GGUF file does not hold the file itself.
    if file is not None and file_digest(file) == base.sha256:
        stated = read_header(file).metadata.get("general.license")
        if isinstance(stated, str) and stated:
            return stated.lower()
    if not base.repository:
        return None
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    # Without an answer, and offline, the user has to say it.
    with suppress(OSError, ValueError, HTTPError):
        card = HfApi().model_info(base.repository, revision=base.revision).card_data
        stated = card.get("license") if card else None
        return stated if isinstance(stated, str) else None
    return None
