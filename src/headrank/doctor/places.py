"""Places: free disk and writable folders, and the folders that environment variables name."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from headrank.doctor.check import PREREQUISITE, RESOURCE, Check, failed, ok, warning
from headrank.engine.gguf.cache import VARIABLE as CACHE
from headrank.engine.gguf.cache import cache_folder
from headrank.engine.gguf.find import VARIABLE as MODELS

DATA = "HEADRANK_DATA"
# Below this, a real model's cache or a study's features do not fit (docs/scale.md).
LITTLE = 5.0


def examine_folders(folders: Mapping[str, Path]) -> Iterator[Check]:
    """Free disk and permissions of each folder. folders: by what they are for."""
    yield free_disk(folders)
    yield from writable(folders)


def free_disk(folders: Mapping[str, Path]) -> Check:
    """Free space in GB where each folder is, or would be made. folders: by what they are for."""
    free = {what: shutil.disk_usage(_there(folder)).free / 1e9 for what, folder in folders.items()}
    found = ", ".join(f"{gigabytes:.0f} GB for {what}" for what, gigabytes in free.items())
    if min(free.values()) < LITTLE:
        return warning("free disk", found, "too little for real models; docs/scale.md says what studies take")
    return ok("free disk", found)


def writable(folders: Mapping[str, Path]) -> Iterator[Check]:
    """Whether files can be made in each folder, or in the one that it would be made in."""
    remedies = {
        "results": "start from a folder that you may write to",
        "GGUF cache": f"set {CACHE} to a folder that you may write to",
        "hub cache": "set HF_HOME to a folder that you may write to, or only models that are there can be used",
        "ir_datasets": "set IR_DATASETS_HOME to a folder that you may write to, or no collection can be fetched",
    }
    for what, folder in folders.items():
        name, place = f"write {what}", _there(folder)
        try:
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(b"headrank")
                file.flush()
        except OSError as error:
            found = f"{_short(place)}: {error.strerror or error}"
            # Without it no GGUF file can be read; the others may be meant so.
            if what == "GGUF cache":
                yield failed(name, found, remedies[what], PREREQUISITE)
            else:
                yield warning(name, found, remedies[what])
        else:
            yield ok(name, _short(folder))


def folders() -> dict[str, Path]:
    """What this library and the ones below it write to, by what it is for."""
    from huggingface_hub.constants import HF_HUB_CACHE

    datasets = os.environ.get("IR_DATASETS_HOME")
    return {
        "results": Path.cwd(),
        "GGUF cache": cache_folder(),
        "hub cache": Path(HF_HUB_CACHE),
        "ir_datasets": Path(datasets) if datasets else Path.home() / ".ir_datasets",
    }


def variables() -> Iterator[Check]:
    """Whether the folders of collections and models that are named are there."""
    for name, holds in ((DATA, "collections"), (MODELS, "GGUF files")):
        value = os.environ.get(name)
        if not value:
            yield ok(name, f"not set: {holds} are looked for in the working folder")
        elif Path(value).is_dir():
            yield ok(name, f"{_short(Path(value))}, {len([*Path(value).iterdir()])} entries")
        else:
            yield failed(
                name, f"{value}: no such folder", f"set it to the folder of {holds}, or unset it", RESOURCE
            )


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    place = folder.expanduser().absolute()
    return next(above for above in (place, *place.parents) if above.is_dir())


def _short(folder: Path) -> str:
    """A folder without the name of the user, for a report that others read."""
    try:
        return f"~/{folder.absolute().relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(folder)
