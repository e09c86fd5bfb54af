"""The tables and figures of a study: which of them it has data for, and what they are made from."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from pathlib import Path
from typing import Any

from headrank.data.leakage import NAME
from headrank.evaluation.metrics import main_metric
from headrank.methods.table import WRITING
from headrank.workflow.cells import Cells
from headrank.workflow.shown import Shown, shown
from headrank.workflow.study import Study

TABLES, FIGURES = shown("tables"), shown("figures")
# Rules that have all run once the runs are evaluated, in the order of the graph.
TIMED = (
    *("synthesize", "fetch_collection", "collection", "index", "embed", "retrieve", "retrieve_dense"),
    *(
        "leakage",
        "first_stage",
        "passages",
        "training_set",
        "plant_backbone",
        "plant_realtext",
        "link_backbone",
    ),
    *(
        "fetch_backbone",
        "fetch_gguf",
        "unpack_gguf",
        "lists",
        "features",
        "detect",
        "route",
        "select",
        "mine",
    ),
    *("train", "frozen", "rerank", "generate", "judge"),
    *("gather_features", "gather_frozen", "gather_rerank", "gather_generate", "gather_judge"),
)


class Artefacts:
    """The tables and figures of one study."""

    def __init__(self, study: Study, cells: Cells) -> None:
        self.study = study
        self.cells = cells

    def leakage(self, one: Shown) -> list[str]:
        """The record whose note a table's caption gets: only where the study goes on in spite of leakage."""
        learns = self.study.detected_on and self.study.config["leakage"] != "stop"
        return [f"{self.study.results}{NAME}"] if learns and "bench" not in one.needs else []

    def frames(self, files: Mapping[str, str]) -> dict[str, list[str]]:
        """Argument -> metrics files; one name may stand for a file per backbone or shape."""
        backbones, shapes = self.study.backbones, self.study.config["bench"]["backbones"]
        found = {}
        for argument, name in files.items():
            names = [name.replace("{backbone}", b) for b in backbones] if "{backbone}" in name else [name]
            names = [n.replace("{shape}", s) for n in names for s in shapes] if "{shape}" in name else names
            found[argument] = [f"{self.study.results}metrics/{n}.parquet" for n in names]
        return found

    def paper(self) -> list[str]:
        """Every table and figure of the study, except those of the machine's speed, which have their own target."""
        return self._files(self._had - {"bench"})

    def evidence(self) -> list[str]:
        """The files that record where tables and figures come from, and with which changed files can be found."""
        results = self.study.results
        sidecars = [f"{run}.yaml" for run in self.cells.all_runs()]
        return [f"{results}provenance.json", f"{results}manifest.sha256", *sidecars]

    def shown(self, ending: str) -> list[str]:
        """The files of one kind among those of ``paper``, such as all of its tables as ``csv``."""
        return [path for path in self.paper() if path.endswith(f".{ending}")]

    def names(self, ending: str) -> list[str]:
        """The names of the tables or figures that have files of one kind."""
        return [Path(path).stem for path in self.shown(ending)]

    @property
    def about(self) -> str:
        """A sentence on the study, for its summary."""
        study = self.study
        models, benchmarks = (", ".join(names) for names in (study.backbones, study.panel))
        learnt = ", ".join(study.config["train_on"])
        trained = f"; heads chosen and trained on {learnt}" if learnt and study.trains else ""
        return f"Models: {models}. Benchmarks: {benchmarks}{trained}."

    def possible(self, of: Mapping[str, Shown]) -> list[str]:
        """The names of those tables or figures that can be made in this study; the others would lack data."""
        return [name for name, one in of.items() if {*one.needs} <= self._had]

    @property
    def _had(self) -> set[str]:
        """What the study has of all that tables and figures may need."""
        return {name for name, there in self.there.items() if there}

    def bench(self) -> list[str]:
        """The tables and figures of the speed measurement."""
        return self._files({"bench", "growth"} if self.there["growth"] else {"bench"}, "bench")

    def _files(self, there: AbstractSet[str], needed: str = "") -> list[str]:
        """Files of all tables and figures whose needs are in ``there``; with ``needed``, of those that need it only."""
        kinds = (("tables", TABLES, ("csv", "tex", "md")), ("figures", FIGURES, ("pdf", "png")))
        return [
            f"{self.study.results}{folder}/{name}.{ending}"
            for folder, all_of_them, endings in kinds
            for name, one in all_of_them.items()
            if {*one.needs} <= there and (not needed or needed in one.needs)
            for ending in endings
        ]

    @cached_property
    def there(self) -> dict[str, bool]:
        """What tables and figures may need of a study (``NEEDS``), and whether this one has it."""
        study, config = self.study, self.study.config
        return {
            # It depends on the machine, not on the study.
            "bench": True,
            "growth": bool(config["bench"]["growth"]),
            "training": study.trains,
            "head_sets": bool(self.cells.criteria),
            "clock": bool(config["clock"]["queries"]),
            "injection": bool(config["injection"]["queries"]),
            **{scope: scope in self.cells.scopes for scope in ("ablation", "seeds", "fused", "queries")},
            # Backbones may have panels of their own that share nothing.
            "common_benchmark": bool(study.common),
            # With a single benchmark there is none to transfer to.
            "several_benchmarks": len(study.common) > 1,
            # A single criterion overlaps with nothing.
            "several_criteria": len(self.cells.criteria) > 1,
            "routes": study.routed,
            "written_answers": bool({*WRITING} & {*study.generative}),
        }

    def options(self, one: Shown) -> dict[str, Any]:
        """The arguments of a table's or figure's function besides its frames."""
        return {argument: self.told[what] for argument, what in one.options.items()}

    @cached_property
    def told(self) -> dict[str, Any]:
        """What tables and figures may ask about a study (``OPTIONS``)."""
        study, config = self.study, self.study.config
        averages = study.averages
        whole = any(study.panel_of(backbone) == study.panel for backbone in study.backbones)
        seeds = (config["headrank"]["training"]["seed"], *config["seeds"])
        return {
            # The metric that is shown.
            "metric": main_metric(config["evaluation"]["metrics"]).title,
            "baseline": config["evaluation"]["baseline"],
            "alpha": config["evaluation"]["alpha"],
            "resampling": {
                "n_resamples": config["evaluation"]["resamples"],
                "alpha": config["evaluation"]["alpha"],
                "seed": config["seed"],
            },
            "fusion": config["evaluation"]["fusion"],
            "first_stage": study.collections.first_stage_title(study.panel),
            "backbones": study.backbones,
            # As many as fit into one figure.
            "first_backbones": study.backbones[:4],
            "panel": study.panel,
            # The benchmarks that all backbones rank.
            "common": study.common,
            # Those of the ablation's backbone.
            "ablated_panel": study.panel_of(study.ablated),
            "averages": averages,
            "common_averages": study.common_averages,
            "average_names": list(averages),
            # The panels on which HeadRank is compared with its rivals; only a backbone that ranks all has the mean.
            "compared_panels": [*averages, *(["mean"] if whole and len(study.panel) > 1 else study.common)],
            # The benchmarks whose effectiveness is shown against seconds.
            "clocked": averages.get(config["clock"]["average"], study.common),
            "criteria": self.cells.criteria,
            "seeds": dict(zip(("headrank", *study.seeded), seeds, strict=True)),
        }
