"""One study as its configuration describes it: methods, models, collections, settings of each backbone and variant.

Everything here is worked out of a configuration that was checked and completed (``headrank.workflow.configuration``);
nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from headrank.engine.gguf.find import find_gguf
from headrank.methods.entries.headrank import TRAINED
from headrank.methods.entries.pointwise import JUDGE
from headrank.methods.entry import Released
from headrank.methods.table import FROZEN, HEAD_SETS, head_sets

Config = Mapping[str, Any]

# The settings that a ranking by a trained adapter depends on.
RANKED_BY = ("prompt", "encoding", "query_span", "document_span", "candidates", "mass", "loss", "inference")
_ENCODING = ("pooling", "query_prefix", "document_prefix", "max_tokens", "batch")
_NOT_SETTINGS = ("methods", "queries", "whole")


def overlaid(base: Config, over: Config) -> dict[str, Any]:
    """``base`` with the nested keys of ``over`` in place of its own."""
    both = {key: overlaid(base[key], over[key]) for key in over if isinstance(base.get(key), Mapping)}
    return {**base, **over, **both}


class Study:
    """config: checked and complete. data: the folder that its paths are relative to."""

    def __init__(self, config: Config, data: str) -> None:
        self.config = config
        self.data = data
        self.name: str = config["name"]
        # Written out, not a wildcard: Snakemake looks for a file's rule by the part of the path before the first one.
        self.results = f"results/{self.name}/"
        self.logs = f"logs/{self.name}/"
        self.panel: list[str] = config["panel"]
        self.backbones: list[str] = list(config["backbones"])
        self.models: dict[str, Config] = {**config["backbones"], **config["rerankers"], **config["encoders"]}
        self.shards: int = config["shards"]
        self.shard_names = [f"{number}-of-{self.shards}" for number in range(1, self.shards + 1)]

    # Methods

    @property
    def frozen(self) -> list[str]:
        """Methods on frozen backbones."""
        methods: list[str] = self.config["methods"]
        return methods

    @cached_property
    def detected(self) -> list[str]:
        """Head sets of other methods that some method of this study needs."""
        needed = head_sets(self.frozen)
        return [name for name in HEAD_SETS if name in needed and name != TRAINED]

    @property
    def timed(self) -> list[str]:
        """Frozen methods that are timed by themselves; those with a prompt of their own are not."""
        left_out = self.config["clock"]["leave_out"]
        return [m for m in self.frozen if m not in left_out and not isinstance(FROZEN[m], Released)]

    @property
    def detected_on(self) -> list[str]:
        """Pools of queries that heads are detected on."""
        return list(dict.fromkeys(["training", *(HEAD_SETS[name].pool for name in self.detected)]))

    @property
    def routed(self) -> bool:
        return any(FROZEN[name].routed for name in self.frozen)

    @property
    def seeded(self) -> dict[str, Config]:
        """HeadRank trained again with other seeds."""
        return {f"headrank-seed-{seed}": {"training": {"seed": seed}} for seed in self.config["seeds"]}

    @cached_property
    def trained(self) -> dict[str, Config]:
        """Everything that is trained, by the keys in which it differs from HeadRank."""
        return {"headrank": {}, **self.seeded, **self.config["trained_baselines"], **self.config["variants"]}

    @cached_property
    def criteria(self) -> list[str]:
        """Whose criteria choose the heads that are trained."""
        chosen = [
            self.settings(("heads",), b, name)["heads"] for b in self.backbones for name in self.trained
        ]
        return list(dict.fromkeys(chosen))

    @property
    def ablated(self) -> str:
        """The backbone of the ablation."""
        chosen: str | None = self.config["ablation"]["backbone"]
        return chosen or self.backbones[0]

    # Generative references

    @property
    def generative(self) -> list[str]:
        methods: list[str] = self.config["generative"]["methods"]
        return methods

    @property
    def generative_settings(self) -> dict[str, Any]:
        return {key: value for key, value in self.config["generative"].items() if key not in _NOT_SETTINGS}

    @property
    def apart(self) -> str | None:
        """The pointwise reranker where it has weights, and so a job, of its own.

        Of backbones without such weights there is no row, unless the study has none at all and runs the prompt on the
        backbones themselves, in the job of the other methods.
        """
        return JUDGE if self.config["rerankers"] else None

    @property
    def written(self) -> list[str]:
        """Generative methods that run on the backbones themselves."""
        return [name for name in self.generative if name != self.apart]

    @cached_property
    def judged(self) -> list[str]:
        """Backbones beside which a pointwise reranker judges."""
        if JUDGE not in self.generative:
            return []
        specs = self.config["backbones"].items()
        return [name for name, spec in specs if spec["reranker"] or not self.config["rerankers"]]

    def reranker_of(self, backbone: str) -> str:
        """The model that judges pointwise beside a backbone: the fine-tuned one of its size, or the backbone itself."""
        own: str | None = self.config["backbones"][backbone]["reranker"]
        return own or backbone

    # Models from elsewhere

    def having(self, section: str, source: str) -> list[str]:
        """Names of a section of the configuration, or of all ``models``, that come from this source."""
        specs: Mapping[str, Config] = self.models if section == "models" else self.config[section]
        return [name for name, spec in specs.items() if spec["source"] == source]

    def gguf_fetched(self, model: str) -> str:
        """Where the file of a model is when the hub has given it."""
        return f"{self.results}gguf/{model}.gguf"

    def gguf_at_hand(self, model: str) -> Path | None:
        """The file of a model on this machine, None where it has to come from the hub."""
        return find_gguf(self.models[model]["file"], self.config["models"])

    def gguf_file(self, model: str) -> str:
        """The file that a model is dequantised from: the one at hand if there is one."""
        return str(self.gguf_at_hand(model) or self.gguf_fetched(model))

    def checkpoint_config(self, model: str) -> str:
        """The file that a local checkpoint has to hold."""
        return str(Path(self.data, self.models[model]["path"], "config.json"))

    def tokenizer_file(self, backbone: str) -> str:
        """The tokenizer of a backbone planted on real text."""
        return str(Path(self.data, self.config["backbones"][backbone]["tokenizer"], "tokenizer.json"))

    @property
    def encoder(self) -> str:
        """The encoder of a dense first stage."""
        return self.config["first_stage"]["encoder"] or "none"

    @property
    def encoding(self) -> dict[str, Any]:
        """How it encodes."""
        return {key: self.config["first_stage"][key] for key in _ENCODING}

    def downloads(self) -> list[str]:
        """All that the study takes from elsewhere: collections of ir_datasets and models of the hub."""
        collections = [name for name in self.having("collections", "ir_datasets") if name in self.used]
        judging = [self.reranker_of(backbone) for backbone in self.judged]
        encoding = [self.encoder] if "dense" in [self.first_stages[name] for name in self.used] else []
        models = list(dict.fromkeys([*self.backbones, *judging, *encoding]))
        hub, gguf = self.having("models", "hub"), self.having("models", "gguf")
        return [
            *(f"{self.results}collections/{name}/source.json" for name in collections),
            *(f"{self.results}backbones/{name}" for name in models if name in hub),
            *(self.gguf_fetched(name) for name in models if name in gguf and not self.gguf_at_hand(name)),
        ]

    # Collections

    @property
    def pools(self) -> dict[str, list[str]]:
        """Sets of queries with judgements: the one that trains, and one that only detects heads."""
        return {"training": self.config["train_on"], "detection": self.config["detect_on"]}

    @cached_property
    def used(self) -> list[str]:
        """Collections that anything is done with."""
        return list(dict.fromkeys([*self.config["train_on"], *self.config["detect_on"], *self.panel]))

    @cached_property
    def first_stages(self) -> dict[str, str]:
        """Where each collection's candidates come from."""
        default = self.config["first_stage"]["method"]
        return {
            name: "run" if spec["run"] else spec["first_stage"] or default
            for name, spec in self.config["collections"].items()
        }

    def staged(self, *stages: str) -> list[str]:
        """Collections whose candidates come from one of these."""
        return [name for name, stage in self.first_stages.items() if stage in stages]

    def teaches(self, collection: str) -> bool:
        """Whether heads are chosen or trained on the collection's queries."""
        return collection in self.config["train_on"] or collection in self.config["detect_on"]

    def panel_of(self, backbone: str) -> list[str]:
        """The benchmarks that a backbone ranks, in the study's order."""
        chosen = self.config["backbones"][backbone]["panel"] or self.panel
        return [benchmark for benchmark in self.panel if benchmark in chosen]

    @cached_property
    def common(self) -> list[str]:
        """What backbones are compared on in one mean."""
        return [d for d in self.panel if all(d in self.panel_of(b) for b in self.backbones)]

    def collection_spec(self, collection: str) -> dict[str, Any]:
        """What ``open_collection`` needs; a synthetic collection is a local one that the study made."""
        spec = self.config["collections"][collection]
        if spec["source"] == "ir_datasets":
            return {"source": "ir_datasets", "id": spec["id"]}
        made = f"{self.results}synthetic/{collection}"
        path = made if spec["source"] == "synthetic" else str(Path(self.data, spec["path"]))
        return {"source": "local", "path": path}

    def files_of(self, collection: str, names: Iterable[str]) -> list[str]:
        """These files of a collection, packed or not; none where ``ir_datasets`` keeps them."""
        spec = self.collection_spec(collection)
        return [_packed(spec["path"], name) for name in names] if spec["source"] == "local" else []

    def given_run(self, collection: str) -> list[str]:
        """The first-stage run that the configuration names, if it names one."""
        spec = self.config["collections"][collection]
        return [str(Path(self.data, spec["path"], spec["run"]))] if spec["run"] else []

    def fetched(self, collection: str | None) -> list[str]:
        """What ir_datasets had to download of a collection; nothing after it needs a network."""
        downloaded = collection and self.config["collections"][collection]["source"] == "ir_datasets"
        return [f"{self.results}collections/{collection}/source.json"] if downloaded else []

    def shared_corpus(self, collection: str) -> str | None:
        """The collection that has the same documents, and so the same index."""
        other: str | None = self.config["collections"][collection]["corpus"]
        return other

    def index_of(self, collection: str) -> str | None:
        """The index that a collection is searched in: its own, or that of the one that has the same documents.

        None where its candidates come from elsewhere.
        """
        stage = self.first_stages[collection]
        name = self.shared_corpus(collection) or collection
        return f"{self.results}indexes/{name}/{stage}" if stage in ("bm25", "dense") else None

    def judgements_of(self, collection: str) -> list[str]:
        """Judgements of a training collection, whose judged documents go into training lists."""
        return [f"{self.results}collections/{collection}/qrels.trec"] if self.teaches(collection) else []

    def documents(self, collection: str) -> int:
        """How many documents the configuration says that there are; 0 where it says nothing."""
        count: int | None = self.config["collections"][collection]["documents"]
        return count or 0

    def first_stage_depth(self, collection: str) -> int:
        """How many candidates are kept: those to be ranked, and of training queries those that lists draw from."""
        depth: int = self.config["headrank"]["candidates"]["depth"]
        return max(depth, self.config["headrank"]["lists"]["pool"]) if self.teaches(collection) else depth

    def check_depth(self, collection: str) -> int:
        """How deep the first stage has to be for its comparison with published figures."""
        published = self.config["collections"][collection]["published"]
        deep: int = self.config["first_stage"]["check_depth"]
        return deep if any(published.values()) else 1

    # Settings

    def headrank_of(self, backbone: str | None) -> dict[str, Any]:
        """HeadRank's settings on a backbone; those of the study where no backbone is at hand."""
        whole: dict[str, Any] = self.config["headrank"]
        if backbone is None:
            return whole
        spec = self.config["backbones"][backbone]
        whole = overlaid(whole, spec.get("headrank", {}))
        return overlaid(whole, {"prompt": {"family": spec["family"]}}) if spec["family"] else whole

    def settings(
        self, sections: Sequence[str], backbone: str | None, variant: str = "headrank"
    ) -> dict[str, Any]:
        """These sections of ``headrank`` for a backbone and a variant."""
        whole = overlaid(self.headrank_of(backbone), self.trained.get(variant, {}))
        return {section: whole[section] for section in sections}

    def samples(self, pool: str) -> int:
        """Lists drawn per query: those that heads are judged on, of training queries as many as any training sees."""
        most = 0
        for backbone in self.config["backbones"].values():
            for over in self.trained.values():
                whole = overlaid(overlaid(self.config["headrank"], backbone.get("headrank", {})), over)
                seen = whole["lists"]["per_query_per_epoch"] * whole["training"]["epochs"]
                most = max(most, seen if pool == "training" else 0, whole["selection"]["permutations"])
        return most

    # Which method runs where

    def has_baseline(self, method: str, backbone: str) -> bool:
        """Whether a trained baseline is one of the backbone's; all other methods are everybody's."""
        chosen = self.config["backbones"][backbone]["trained_baselines"]
        return method not in self.config["trained_baselines"] or chosen is None or method in chosen

    def ranks(self, method: str, benchmark: str) -> bool:
        """Whether a method ranks the benchmark; trained baselines may leave some out."""
        chosen = self.config["baselines_panel"] or self.panel
        return method not in self.config["trained_baselines"] or benchmark in chosen

    def ranked(self, backbone: str, variant: str = "headrank") -> dict[str, int | None]:
        """How many queries of each benchmark a backbone ranks: None for all, and none of those that it leaves out."""
        panel = self.panel_of(backbone)
        return {d: None if d in panel and self.ranks(variant, d) else 0 for d in self.panel}

    def asked(self, backbone: str) -> dict[str, int | None]:
        """How many queries of each benchmark the generative references of a backbone are asked."""
        given = self.config["generative"]
        few = {d: None if d in given["whole"] else given["queries"] for d in self.panel}
        return {d: few[d] if most is None else most for d, most in self.ranked(backbone).items()}


def _packed(directory: str, name: str) -> str:
    """A file of a local collection, ``.gz`` where only that is there."""
    plain = Path(directory, name)
    packed = Path(f"{plain}.gz")
    return str(packed if packed.exists() and not plain.exists() else plain)
