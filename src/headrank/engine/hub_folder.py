"""A few named files of a hub repository, each of a bounded size: what is downloaded of an adapter that others made."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headrank.data.files import MIB
from headrank.engine.hub import compare, files_of
from headrank.errors import InputError, NotFoundError, UsageError

COMMIT = re.compile("[0-9a-f]{40}")
_LOCAL = ("127.0.0.1", "localhost", "::1")


def fetch_folder(identifier: str, revision: str | None, bounds: Mapping[str, int]) -> Path:
    """The folder with these files of a repository in the hub's cache; its name is the commit.

    revision: commit, tag or branch; by default what the hub has now. bounds: names of all files, and the most bytes
    that each may have: nothing is downloaded if one is missing or larger. Each file is compared with the digest that
    the hub states, and a wrong one is removed. Without a network, or with HF_HUB_OFFLINE, the cached files are used.

    Raises NotFoundError in one line for a repository that cannot be had, InputError for one that has not these files.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    where = f"{identifier}{f' at {revision}' if revision else ''}"
    if (complete := _complete(identifier, revision, bounds)) is not None:
        return complete
    _check_endpoint(constants.ENDPOINT)
    patterns = [glob.escape(name) for name in bounds]
    wanted: dict[str, Any] | None = None
    try:
        try:
            info = HfApi().model_info(identifier, revision=revision, files_metadata=True)
        except HfHubHTTPError:
            # The hub has answered, and the cache does not know better.
            raise
        except (OSError, HTTPError) as unreachable:
            folder = _cached(identifier, revision, patterns, where, unreachable)
        else:
            _check_commit(info.sha, revision, where)
            wanted = files_of(info, patterns)
            _check_sizes(wanted, bounds, where)
            folder = Path(snapshot_download(identifier, revision=revision, allow_patterns=patterns))
            if folder.name != info.sha:
                raise NotFoundError(f"{where}: it changed while it was downloaded; try again")
    except (OSError, ValueError, HTTPError) as error:
        if isinstance(error, InputError):
            raise
        raise NotFoundError(
            f"{where}: no such folder, and the hub gives none ({' '.join(str(error).split())[:160]})"
        ) from error
    if wanted is not None:
        compare(folder, wanted, where)
    return folder


def _complete(identifier: str, revision: str | None, names: Iterable[str]) -> Path | None:
    """The folder of a commit that is in the cache: it cannot change, so the hub is not asked."""
    from huggingface_hub import try_to_load_from_cache

    if not COMMIT.fullmatch(revision or ""):
        return None
    found = [try_to_load_from_cache(identifier, name, revision=revision) for name in names]
    paths = [Path(place) for place in found if isinstance(place, str)]
    return paths[0].parent if paths and len(paths) == len(found) else None


def _cached(identifier: str, revision: str | None, patterns: list[str], where: str, why: Exception) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(identifier, revision=revision, allow_patterns=patterns, local_files_only=True)
        )
    except (OSError, ValueError) as error:
        raise NotFoundError(
            f"{where}: no such folder, it is not in the hub's cache, and the hub cannot be reached"
            f" ({' '.join(str(why).split())[:120]})"
        ) from error


def _check_commit(found: str | None, revision: str | None, where: str) -> None:
    if not COMMIT.fullmatch(found or ""):
        raise InputError(f"{where}: the hub names no commit")
    if revision and COMMIT.fullmatch(revision) and found != revision:
        raise UsageError(f"{where}: the hub has it as {found}; name the full commit")


def _check_sizes(wanted: Mapping[str, Any], bounds: Mapping[str, int], where: str) -> None:
    for name, most in bounds.items():
        if name not in wanted:
            raise InputError(f"{where}: has no {name}, so it is no adapter that `headrank export` wrote")
        size = wanted[name].size
        if not isinstance(size, int) or size > most:
            raise InputError(f"{where}: {name} has {size} bytes, and at most {most // MIB} MiB are expected")


def _check_endpoint(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise UsageError(f"HF_ENDPOINT: {url} is not encrypted; give an https address")
