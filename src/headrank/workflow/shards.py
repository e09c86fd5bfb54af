"""What model jobs write when each does a shard of the queries: with ``shards: N`` parts, otherwise whole files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from headrank.workflow.rankings import Files
from headrank.workflow.study import Study


class Shards:
    """The shards of one study, which names them (``Study.shard_names``)."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.names = study.shard_names

    def part(self, file: str) -> str:
        """What a model job writes: the file itself or, with shards, its part of it."""
        if self.study.shards == 1:
            return file
        return file.replace(self.study.results, f"{self.study.results}shards/{{shard}}/")

    def own(self, outputs: Files) -> Files:
        """The same for everything that a job writes, by kind."""
        return {name: [self.part(file) for file in files] for name, files in outputs.items()}

    def whole(self, outputs: Files) -> Files:
        """What a job writes that joins parts. Without shards, it is at a place where no rule asks for it.

        Patterns that no file can match would do as well, but each would be tried for each file that is requested.
        """
        if self.study.shards > 1:
            return outputs
        results = self.study.results
        return {
            name: [file.replace(results, f"{results}shards/") for file in files]
            for name, files in outputs.items()
        }

    def log(self, path: str) -> str:
        """A log or benchmark file of its own for each shard."""
        file = PurePosixPath(path)
        return path if self.study.shards == 1 else f"{file.parent}/{{shard}}/{file.name}"

    def number(self, wildcards: Mapping[str, str]) -> list[int]:
        """Number of the job's shard, from 0, and how many there are."""
        shards = self.study.shards
        return [self.names.index(wildcards["shard"]) if shards > 1 else 0, shards]

    def parts(self, outputs: Files) -> list[str]:
        """The parts of all that a job writes, shard by shard."""
        files = [self.part(file) for each in outputs.values() for file in each]
        return [file.replace("{shard}", name) for name in self.names for file in files]
