"""Which adapters one job of selection, mining, training or ranking serves: one, or ``adapters_per_job`` of them.

With more than one, a single job also reads the lists of all pools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from headrank.workflow.study import Study

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """The adapters, or the pools, of one job.

    names: their names; where each has a job of its own, a wildcard in braces. key: the wildcard that stands for them in
    a path. number: that of the batch's rules, from 1; None where one rule serves all.
    """

    names: tuple[str, ...]
    key: str = "variant"
    number: int | None = None

    def rule(self, stage: str) -> str:
        """The name of the rule that does a stage for the batch."""
        return stage if self.number is None else f"{stage}_{self.number}"

    @property
    def title(self) -> str:
        """What the job's log is called."""
        first, *others = self.names
        return f"{first}-and-{len(others)}-more" if others else first

    def files(self, pattern: str) -> list[str]:
        """The pattern's file for each name of the batch; other wildcards stay."""
        return [pattern.replace(f"{{{self.key}}}", name) for name in self.names]

    def served(self, wildcards: Mapping[str, str]) -> list[str]:
        """The names that a job serves."""
        return [name.format(**wildcards) for name in self.names]

    def each(self, function: Callable[[str, str], T]) -> Callable[[Mapping[str, str]], dict[str, T]]:
        """A function of a job's wildcards that gives name -> ``function`` of the backbone and that name."""
        return lambda wildcards: {
            name: function(wildcards["backbone"], name) for name in self.served(wildcards)
        }


def batches(study: Study) -> list[Batch]:
    """The study's adapters, divided among jobs.

    There are three kinds: those of all backbones, those of the ablation's backbone only, and those that are made only
    when they are requested by name. New adapters come last, so that most jobs stay as they are.
    """
    config = study.config
    each: int = config["adapters_per_job"]
    if each == 1:
        return [Batch(("{variant}",))]
    shown = list(dict.fromkeys([*config["ablation"]["variants"], *config["ablation"]["queries"]]))
    kinds = [
        [name for name in study.trained if name not in config["variants"]],
        shown,
        [name for name in config["variants"] if name not in shown],
    ]
    parts = [kind[first : first + each] for kind in kinds for first in range(0, len(kind), each)]
    return [Batch(tuple(part), number=number) for number, part in enumerate(parts, start=1)]


def pools(study: Study) -> Batch:
    """The pools whose lists one job reads, if any method chooses heads on them."""
    alone = study.config["adapters_per_job"] == 1
    return Batch(("{pool}",) if alone else tuple(study.detected_on) or ("training",), key="pool")
