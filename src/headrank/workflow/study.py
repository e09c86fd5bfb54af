"""One study as its configuration describes it: its methods, models and benchmarks, and which runs where.

Everything here is derived from a configuration that was checked and completed (``headrank.workflow.configuration``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from headrank.methods.entries.headrank import TRAINED, UNTRAINED
from headrank.methods.entries.pointwise import JUDGE
from headrank.methods.entry import Released
from headrank.methods.table import FROZEN, HEAD_SETS, head_sets
from headrank.workflow.collections import Collections
from headrank.workflow.models import Models

Config = Mapping[str, Any]

_NOT_SETTINGS = ("methods", "queries", "whole")


class Study:
    """config: checked and complete. data: the folder that its paths are relative to."""

    def __init__(self, config: Config, data: str) -> None:
        self.config = config
        self.data = data
        self.name: str = config["name"]
        # Written out, not a wildcard: Snakemake looks for a file's rule by the part of the path before the first
        # wildcard.
        self.results = f"results/{self.name}/"
        self.logs = f"logs/{self.name}/"
        self.collections = Collections(config, data, self.results)
        self.panel: list[str] = config["panel"]
        self.backbones: list[str] = list(config["backbones"])
        self.models = Models(config, data, self.results)
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
    def trains(self) -> bool:
        """Whether HeadRank and other methods are trained: if HeadRank's untrained form is among the methods."""
        return UNTRAINED in self.frozen

    @property
    def head_sets(self) -> list[str]:
        """Head sets that methods on the frozen backbone read."""
        return [*self.detected, *([TRAINED] if self.trains else [])]

    @property
    def timed(self) -> list[str]:
        """Frozen methods that are timed, each alone; those with a prompt of their own are not."""
        left_out = self.config["clock"]["leave_out"]
        return [m for m in self.frozen if m not in left_out and not isinstance(FROZEN[m], Released)]

    @property
    def detected_on(self) -> list[str]:
        """Pools of queries that heads are chosen on; none where no method chooses any."""
        own = [HEAD_SETS[name].pool for name in self.detected]
        return list(dict.fromkeys(["training", *own])) if self.head_sets or self.routed else []

    @property
    def routed(self) -> bool:
        return any(FROZEN[name].routed for name in self.frozen)

    @property
    def seeded(self) -> dict[str, Config]:
        """HeadRank trained again with other seeds."""
        return {f"headrank-seed-{seed}": {"training": {"seed": seed}} for seed in self.config["seeds"]}

    @cached_property
    def trained(self) -> dict[str, Config]:
        """Everything that is trained: name -> the keys in which it differs from HeadRank."""
        if not self.trains:
            return {}
        return {TRAINED: {}, **self.seeded, **self.config["trained_baselines"], **self.config["variants"]}

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
        """The pointwise reranker, if it has weights and so a job of its own.

        Backbones without such weights then have no row for it. If the study has no such weights at all, the reranker's
        prompt runs on the backbones themselves, in the job of the other methods.
        """
        return JUDGE if self.config["rerankers"] else None

    @property
    def written(self) -> list[str]:
        """Generative methods that run on the backbones themselves."""
        return [name for name in self.generative if name != self.apart]

    @cached_property
    def judged(self) -> list[str]:
        """Backbones that have a pointwise reranker."""
        if JUDGE not in self.generative:
            return []
        specs = self.config["backbones"].items()
        return [name for name, spec in specs if spec["reranker"] or not self.config["rerankers"]]

    def reranker_of(self, backbone: str) -> str:
        """The pointwise reranker of a backbone: the fine-tuned model of its size, or the backbone itself."""
        own: str | None = self.config["backbones"][backbone]["reranker"]
        return own or backbone

    @property
    def judged_apart(self) -> list[str]:
        """Backbones that have a pointwise reranker with weights of its own."""
        return self.judged if self.apart else []

    # Models

    @property
    def ranking_models(self) -> list[str]:
        """Every model that ranks: the backbones and their pointwise rerankers."""
        return list(dict.fromkeys([*self.backbones, *map(self.reranker_of, self.judged)]))

    def downloads(self) -> list[str]:
        """All that the study downloads: collections of ir_datasets and models of the hub."""
        used, stages = self.collections.used, self.collections.first_stages
        collections = [name for name in self.collections.of("ir_datasets") if name in used]
        encoding = [self.collections.encoder] if "dense" in [stages[name] for name in used] else []
        return [
            *(f"{self.results}collections/{name}/source.json" for name in collections),
            *self.models.downloads([*self.ranking_models, *encoding]),
        ]

    # Benchmarks that are compared on

    def panel_of(self, backbone: str) -> list[str]:
        """The benchmarks that a backbone ranks, in the study's order."""
        chosen = self.config["backbones"][backbone]["panel"] or self.panel
        return [benchmark for benchmark in self.panel if benchmark in chosen]

    @cached_property
    def common(self) -> list[str]:
        """The benchmarks that all backbones rank; backbones are compared by their mean over these."""
        return [d for d in self.panel if all(d in self.panel_of(b) for b in self.backbones)]

    @property
    def common_averages(self) -> dict[str, list[str]]:
        """The averages that all backbones have."""
        return {name: own for name, own in self.averages.items() if {*own} <= {*self.common}}

    @property
    def averages(self) -> dict[str, list[str]]:
        """Means over some benchmarks, by name; one over the whole panel is the mean that every table has anyway."""
        every = set(self.panel)
        return {name: members for name, members in self.config["averages"].items() if set(members) != every}

    # The injection benchmark

    @property
    def injected(self) -> str:
        """The benchmark whose lists are attacked, if any are."""
        chosen: str | None = self.config["injection"]["benchmark"]
        return chosen or self.common[0]

    def attacked(self, methods: Iterable[str]) -> list[str]:
        """Those of the methods whose lists are attacked; trained ones all are."""
        left_out = self.config["injection"]["leave_out"]
        return [name for name in methods if name not in left_out]

    # Which method runs where

    def has_baseline(self, method: str, backbone: str) -> bool:
        """Whether a trained baseline is one of the backbone's; every backbone has all other methods."""
        chosen = self.config["backbones"][backbone]["trained_baselines"]
        return method not in self.config["trained_baselines"] or chosen is None or method in chosen

    def ranks(self, method: str, benchmark: str) -> bool:
        """Whether a method ranks the benchmark; trained baselines may leave some out."""
        chosen = self.config["baselines_panel"] or self.panel
        return method not in self.config["trained_baselines"] or benchmark in chosen

    def ranked(self, backbone: str, variant: str = "headrank") -> dict[str, int | None]:
        """How many queries of each benchmark a backbone ranks: None for all, 0 for a benchmark that it leaves out."""
        panel = self.panel_of(backbone)
        return {d: None if d in panel and self.ranks(variant, d) else 0 for d in self.panel}

    def asked(self, backbone: str) -> dict[str, int | None]:
        """How many queries of each benchmark the generative references of a backbone are asked."""
        given = self.config["generative"]
        few = {d: None if d in given["whole"] else given["queries"] for d in self.panel}
        return {d: few[d] if most is None else most for d, most in self.ranked(backbone).items()}
