"""What ranking jobs read and write for one backbone, which stays a wildcard."""

from __future__ import annotations

from collections.abc import Iterable

from headrank.workflow.study import Study

# What it is -> its files.
Files = dict[str, list[str]]


class Rankings:
    """Files of one study: one for every benchmark and, for rankings, every method."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @property
    def benchmarks(self) -> Files:
        """What all ranking jobs read."""
        place, panel = f"{self.study.results}collections", self.study.panel
        return {
            "queries": [f"{place}/{d}/queries.jsonl" for d in panel],
            "candidates": [f"{place}/{d}/candidates.trec" for d in panel],
            "passages": [f"{place}/{d}/passages.jsonl" for d in panel],
        }

    @property
    def features(self) -> Files:
        """The file of features that are read from a pool's lists."""
        return {"features": [f"{self.study.results}features/{{backbone}}/{{pool}}.safetensors"]}

    def of(self, methods: Iterable[str]) -> Files:
        """Rankings by these methods, benchmark by benchmark, as TREC runs and as tables."""
        names = list(methods)
        return {"runs": self._files(names, "trec"), "rankings": self._files(names, "parquet")}

    @property
    def frozen(self) -> Files:
        """What one pass of the frozen backbone gives."""
        masses, routes = self._files(["masses"], "safetensors"), self._files(["routes"], "parquet")
        return {**self.of(self.study.frozen), "masses": masses, "routes": routes}

    def answered(self, methods: Iterable[str]) -> Files:
        """Rankings by generative methods, and what the model answered."""
        # A rule must have outputs, even where no method is requested.
        names = list(methods) or ["none"]
        return {**self.of(names), "calls": self._files(names, "calls.jsonl.gz")}

    def _files(self, names: list[str], ending: str) -> list[str]:
        place = f"{self.study.results}runs/{{backbone}}"
        return [f"{place}/{d}/{name}.{ending}" for d in self.study.panel for name in names]
