"""The collections of a study: what each is used for, where its files and candidates come from, and its index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

Config = Mapping[str, Any]

_ENCODING = ("pooling", "query_prefix", "document_prefix", "max_tokens", "batch")


class Collections:
    """config: checked and complete. data: the folder that its paths are relative to. results: what a study builds."""

    def __init__(self, config: Config, data: str, results: str) -> None:
        self.config = config
        self.data = data
        self.results = results

    @property
    def pools(self) -> dict[str, list[str]]:
        """Sets of queries with judgements: one for training, and one only for detecting heads."""
        return {"training": self.config["train_on"], "detection": self.config["detect_on"]}

    @cached_property
    def used(self) -> list[str]:
        """Collections that the study uses."""
        return list(
            dict.fromkeys([*self.config["train_on"], *self.config["detect_on"], *self.config["panel"]])
        )

    @cached_property
    def first_stages(self) -> dict[str, str]:
        """Where each collection's candidates come from."""
        default = self.config["first_stage"]["method"]
        return {
            name: "run" if spec["run"] else spec["first_stage"] or default
            for name, spec in self.config["collections"].items()
        }

    def first_stage_title(self, panel: Iterable[str]) -> str:
        """What tables call the first stage of these benchmarks: by its name only where BM25 ranked every one."""
        title: str | None = self.config["first_stage"]["title"]
        if title:
            return title
        return "BM25" if {self.first_stages[name] for name in panel} == {"bm25"} else "First stage"

    def staged(self, *stages: str) -> list[str]:
        """Collections whose candidates come from one of these stages."""
        return [name for name, stage in self.first_stages.items() if stage in stages]

    def of(self, source: str) -> list[str]:
        """Collections that come from this source."""
        return [name for name, spec in self.config["collections"].items() if spec["source"] == source]

    def teaches(self, collection: str) -> bool:
        """Whether heads are chosen or trained on the collection's queries."""
        return collection in self.config["train_on"] or collection in self.config["detect_on"]

    def spec(self, collection: str) -> dict[str, Any]:
        """What ``open_collection`` needs; a synthetic collection is a local one that the study made."""
        spec = self.config["collections"][collection]
        if spec["source"] == "ir_datasets":
            return {"source": "ir_datasets", "id": spec["id"]}
        made = f"{self.results}synthetic/{collection}"
        path = made if spec["source"] == "synthetic" else str(Path(self.data, spec["path"]))
        return {"source": "local", "path": path}

    def files_of(self, collection: str, names: Iterable[str]) -> list[str]:
        """These files of a collection, packed or not; none where ``ir_datasets`` keeps them."""
        spec = self.spec(collection)
        return [_packed(spec["path"], name) for name in names] if spec["source"] == "local" else []

    def given_run(self, collection: str) -> list[str]:
        """The first-stage run that the configuration names, if it names one."""
        spec = self.config["collections"][collection]
        return [str(Path(self.data, spec["path"], spec["run"]))] if spec["run"] else []

    def fetched(self, collection: str | None) -> list[str]:
        """The file that exists once ir_datasets has downloaded a collection; no later job needs a network."""
        downloaded = collection and self.config["collections"][collection]["source"] == "ir_datasets"
        return [f"{self.results}collections/{collection}/source.json"] if downloaded else []

    def shared_corpus(self, collection: str) -> str | None:
        """The collection that has the same documents, and so the same index."""
        other: str | None = self.config["collections"][collection]["corpus"]
        return other

    def index_of(self, collection: str) -> str | None:
        """The index that a collection is searched in: its own, or that of the collection that has the same documents.

        None where its candidates come from elsewhere.
        """
        stage = self.first_stages[collection]
        name = self.shared_corpus(collection) or collection
        return f"{self.results}indexes/{name}/{stage}" if stage in ("bm25", "dense") else None

    def judgements_of(self, collection: str) -> list[str]:
        """Judgements of a training collection, whose judged documents go into training lists."""
        return [f"{self.results}collections/{collection}/qrels.trec"] if self.teaches(collection) else []

    def documents(self, collection: str) -> int:
        """How many documents the collection has according to the configuration; 0 where it does not say."""
        count: int | None = self.config["collections"][collection]["documents"]
        return count or 0

    def first_stage_depth(self, collection: str) -> int:
        """How many candidates are kept: those to be ranked, and for training queries those that lists draw from."""
        depth: int = self.config["headrank"]["candidates"]["depth"]
        return max(depth, self.config["headrank"]["lists"]["pool"]) if self.teaches(collection) else depth

    def check_depth(self, collection: str) -> int:
        """How deep the first stage has to be for its comparison with published figures."""
        published = self.config["collections"][collection]["published"]
        deep: int = self.config["first_stage"]["check_depth"]
        return deep if any(published.values()) else 1

    @property
    def encoder(self) -> str:
        """The encoder of a dense first stage."""
        return self.config["first_stage"]["encoder"] or "none"

    @property
    def encoding(self) -> dict[str, Any]:
        """The encoder's settings."""
        return {key: self.config["first_stage"][key] for key in _ENCODING}


def _packed(directory: str, name: str) -> str:
    """A file of a local collection, ``.gz`` where only that is there."""
    plain = Path(directory, name)
    packed = Path(f"{plain}.gz")
    return str(packed if packed.exists() and not plain.exists() else plain)
