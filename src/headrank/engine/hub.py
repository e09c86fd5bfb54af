"""Checkpoints from the Hugging Face hub: one pinned revision, weights as safetensors or GGUF, every digest checked.

The hub's own client resumes interrupted downloads but compares only sizes; it would accept a file of the right size
with a wrong byte.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrank.errors import InputError, NotFoundError, UsageError

FILES = ["*.json", "*.safetensors", "merges.txt", "vocab.txt", "*.jinja", "tokenizer.model"]
_CHUNK = 1 << 20


def fetch_snapshot(identifier: str, revision: str) -> Path:
    """Download ``identifier`` at a commit into the hub's cache (``HF_HOME``); returns the folder with its files.

    Files that are already there are kept, and incomplete files are resumed. Code and pickled weights are not
    downloaded. Every file is compared with the digest that the hub states for it (SHA-256 of large files, git's of the
    others); a wrong file is removed, so that the next try fetches it again. Raises InputError naming model, revision
    and file.
    """

    def check(wanted: Mapping[str, Any], where: str) -> None:
        if not any(name.endswith(".safetensors") for name in wanted):
            raise NotFoundError(
                f"{where}: there are no weights as safetensors, and no other format is accepted"
            )

    return _fetch(identifier, revision, FILES, check)


def cached_snapshot(identifier: str, revision: str | None = None) -> Path:
    """The folder of a model of the hub for a command line: from the cache, after downloading what is not yet there.

    revision: a commit, tag or branch; by default what the hub has now. Files that come anew are compared with the
    digests that the hub states. Without a network the cached files are used. Raises InputError naming the model when it
    cannot be had, and the file when it is wrong.
    """
    from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    where = f" at {revision}" if revision else ""
    fresh: dict[str, Any] = {}
    try:
        # Where the hub does not answer, the download says why, or does without it.
        with suppress(OSError, HTTPError):
            info = HfApi().model_info(identifier, revision=revision, files_metadata=True)
            fresh = {
                name: sibling
                for name, sibling in files_of(info, FILES).items()
                if not isinstance(try_to_load_from_cache(identifier, name, revision=info.sha), str)
            }
        folder = Path(snapshot_download(identifier, revision=revision, allow_patterns=FILES))
    except (OSError, ValueError, HTTPError) as error:
        raise NotFoundError(
            f"{identifier}: no usable model configuration (no such folder, and the hub{where} gives none:"
            f" {' '.join(str(error).split())[:160]})"
        ) from error
    compare(folder, fresh, f"{identifier}{where}")
    return folder


def fetch_file(identifier: str, revision: str, name: str, sha256: str) -> Path:
    """Download one large file of ``identifier`` at a commit into the hub's cache; returns its path there.

    Works as ``fetch_snapshot``. Also raises InputError if the hub has no such file, or states another SHA-256 for it
    than the one given; then nothing is downloaded.
    """

    def check(wanted: Mapping[str, Any], where: str) -> None:
        if name not in wanted:
            raise NotFoundError(f"{where}: has no file {name}")
        stated = wanted[name].lfs.sha256 if wanted[name].lfs else None
        if stated != sha256:
            raise InputError(f"{where}: the hub states SHA-256 {stated} for {name}, but {sha256} is expected")

    if (cached := _cached(identifier, revision, name, sha256)) is not None:
        return cached
    return _fetch(identifier, revision, [glob.escape(name)], check) / name


def _cached(identifier: str, revision: str, name: str, sha256: str) -> Path | None:
    """The file in the hub's cache if it is there and right: without a network nothing else can be asked."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(identifier, name, revision=revision)
    right = isinstance(found, str) and _digest(Path(found), hashlib.sha256()) == sha256
    return Path(str(found)) if right else None


def _fetch(
    identifier: str, revision: str, patterns: Sequence[str], check: Callable[[Mapping[str, Any], str], None]
) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    where = f"{identifier} at {revision}"
    try:
        info = HfApi().model_info(identifier, revision=revision, files_metadata=True)
        if info.sha != revision:
            raise UsageError(f"{where}: the hub has it as {info.sha}; name the full commit as revision")
        wanted = files_of(info, patterns)
        check(wanted, where)
        folder = Path(snapshot_download(identifier, revision=revision, allow_patterns=list(patterns)))
    except (OSError, HTTPError) as error:
        reason = " ".join(str(error).split())[:200]
        raise NotFoundError(
            f"{where}: the download from the hub failed ({type(error).__name__}: {reason})"
        ) from error
    compare(folder, wanted, where)
    return folder


def files_of(info: Any, patterns: Sequence[str]) -> dict[str, Any]:
    """The files of a model that fit the patterns: name -> what the hub says about it."""
    return {
        sibling.rfilename: sibling
        for sibling in info.siblings or []
        if any(fnmatch.fnmatch(sibling.rfilename, pattern) for pattern in patterns)
    }


def compare(folder: Path, wanted: Mapping[str, Any], where: str) -> None:
    """Raise NotFoundError, and remove the file, where one is not what the hub says."""
    for name, sibling in sorted(wanted.items()):
        path = folder / name
        if not path.is_file():
            raise NotFoundError(f"{where}: {name} was not downloaded; run the download again")
        if not _is_right(path, sibling):
            # In the cache a file is a link to its content.
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise NotFoundError(
                f"{where}: {name} has a wrong checksum and was removed; run the download again"
            )


def _is_right(path: Path, sibling: Any) -> bool:
    if sibling.lfs is not None:
        return bool(_digest(path, hashlib.sha256()) == sibling.lfs.sha256)
    if sibling.blob_id is None:
        return True
    return bool(_digest(path, hashlib.sha1(f"blob {path.stat().st_size}\0".encode())) == sibling.blob_id)


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return str(digest.hexdigest())
