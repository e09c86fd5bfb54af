"""Keeps a job's finished blocks until the whole job is done, so that a killed job resumes where it stopped."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from headrank.data.atomic import write_json, write_parquet
from headrank.data.digests import file_digest
from headrank.data.frames import read_parquet
from headrank.data.json_files import read_json
from headrank.engine.features import Features
from headrank.errors import InputError, RunError
from headrank.process.progress import count_as_done
from headrank.specs import read_value

Part = pd.DataFrame | Features
Item = TypeVar("Item")
# Packages that the results depend on too; a newer version may give other numbers.
_PACKAGES = ("torch", "transformers", "peft", "numpy")
# (name, (file, SHA-256)) of each result.
_LISTED = tuple[tuple[str, tuple[str, str]], ...]
logger = logging.getLogger(__name__)


class Finished:
    """Results of blocks in ``folder``, each under a digest of all that it depends on.

    owner: what the results of all blocks depend on (code, backbone, settings, heads); values that their ``repr``
    describes completely.
    """

    def __init__(self, folder: Path, owner: Any) -> None:
        self.folder = folder
        self.owner = f"{owner!r} {[version(package) for package in _PACKAGES]}"
        self.found = 0

    def run(
        self, key: Any, block: Sequence[Item], work: Callable[[Sequence[Item]], Mapping[str, Part]]
    ) -> Mapping[str, Part]:
        """The results of ``work(block)``: those that an earlier run left or, where there are none, new ones.

        key: distinguishes the kinds of work that a job does. If a block cannot be stored, its results are still
        returned.
        """
        name = hashlib.sha256(f"{self.owner} {key!r} {list(block)!r}".encode()).hexdigest()[:32]
        place = self.folder / name
        kept = self._read(place)
        if kept is not None:
            if not self.found:
                logger.info("resuming with the blocks that an earlier run left in %s", self.folder)
            self.found += 1
            count_as_done(len(block))
            return kept
        results = work(block)
        try:
            self._write(place, results)
        except (OSError, RunError) as error:
            logger.warning("block not kept: %s", error)
        return results

    def forget(self) -> None:
        """Remove the folder, once the job's results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, place: Path, results: Mapping[str, Part]) -> None:
        """Write a block's files, and last the list of them: without the list they are ignored."""
        files = {}
        for number, (name, part) in enumerate(results.items()):
            if isinstance(part, Features):
                path = place / f"{number}.safetensors"
                part.save(path)
            else:
                path = place / f"{number}.parquet"
                write_parquet(path, part)
            files[name] = [path.name, file_digest(path)]
        write_json(place / "block.json", list(files.items()))

    def _read(self, place: Path) -> Mapping[str, Part] | None:
        if not (place / "block.json").exists():
            return None
        try:
            files = read_value(
                _LISTED, read_json(place / "block.json", "list of a block's files"), str(place)
            )
            results: dict[str, Part] = {}
            for name, (file, digest) in files:
                path = place / file
                if file_digest(path) != digest:
                    raise InputError(f"{path}: damaged")
                results[name] = Features.load(path) if path.suffix == ".safetensors" else read_parquet(path)
        except (OSError, InputError) as error:
            logger.warning("%s; the block is done again", error)
            return None
        return results
