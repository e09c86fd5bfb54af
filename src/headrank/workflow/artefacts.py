"""The tables and figures of a study: the metrics behind each, and how it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headrank.methods.table import WRITING
from headrank.workflow.cells import Cells
from headrank.workflow.study import Study

# Argument of the table's or figure's function -> metrics file; {backbone} stands for all backbones.
Frames = Mapping[str, str]

_CONTROLS = {name: f"controls/{{backbone}}-{name}" for name in ("layers", "draws", "references")}
_CLOCK = {"metrics": "main", "seconds": "seconds/{backbone}"}
TABLES: dict[str, Frames] = {
    "first_stage": {"measured": "first-stage"},
    "main": {"metrics": "main", "marks": "significance-main"},
    "rivals": {"tests": "significance-rivals"},
    "fused": {"metrics": "fused", "marks": "significance-fused"},
    "claims": {"claims": "claims"},
    "selectivity": {"selectivity": "selectivity-main"},
    "homogenisation": {"measures": "homogenisation-measures"},
    "controls": _CONTROLS,
    "transfer": {"transfer": "transfer/{backbone}"},
    "ablation": {
        "metrics": "ablation",
        "marks": "significance-ablation",
        "selectivity": "selectivity-ablation",
    },
    "seeds": {"metrics": "seeds"},
    "format": {"counts": "format"},
    "cost": {"costs": "cost"},
    "timing": {"benchmarks": "timing"},
    "frontier": _CLOCK,
    "speed": {"rounds": "speed/{shape}"},
    "growth": {"rounds": "growth/{shape}"},
}
FIGURES: dict[str, Frames] = {
    "homogenisation": {"scores": "homogenisation"},
    "selectivity": {"selectivity": "selectivity-main"},
    "heads": {"scores": "heads", "selected": "heads-selected"},
    "head_maps": {"scores": "heads-criteria", "selected": "heads-selected"},
    "overlap": {"selected": "heads-selected"},
    "routes": {"routes": "routes"},
    "controls": _CONTROLS,
    "depth": {"curves": "depth/{backbone}", "marks": "depth/{backbone}-marks"},
    "training": {"curves": "training"},
    "queries": {"curves": "query-curve", "references": "query-references"},
    "success": {"counts": "format"},
    "frontier": _CLOCK,
    "speed": {"rounds": "speed/{shape}"},
    "growth": {"rounds": "growth/{shape}"},
}
# Of the machine, not of the study.
MEASURED = ("speed", "growth")
# Rules that have all run once the runs are evaluated, in the order of the graph.
TIMED = (
    *("synthesize", "fetch_collection", "collection", "index", "embed", "retrieve", "retrieve_dense"),
    *("first_stage", "passages", "training_set", "plant_backbone", "plant_realtext", "link_backbone"),
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
    """Of one study."""

    def __init__(self, study: Study, cells: Cells) -> None:
        self.study = study
        self.cells = cells

    def frames(self, files: Frames) -> dict[str, list[str]]:
        """Argument -> metrics files, where one name may stand for a file per backbone."""
        backbones, shapes = self.study.backbones, self.study.config["bench"]["backbones"]
        found = {}
        for argument, name in files.items():
            names = [name.replace("{backbone}", b) for b in backbones] if "{backbone}" in name else [name]
            names = [n.replace("{shape}", s) for n in names for s in shapes] if "{shape}" in name else names
            found[argument] = [f"{self.study.results}metrics/{n}.parquet" for n in names]
        return found

    def paper(self) -> list[str]:
        """Every table and figure of the study; those of the machine's speed are asked for by themselves."""
        tables, figures = self._shown()
        return [
            *self._files("tables", tables, ("csv", "tex", "md")),
            *self._files("figures", figures, ("pdf", "png")),
        ]

    def bench(self) -> list[str]:
        """What the measurement of speed is shown in."""
        shown = MEASURED if self.study.config["bench"]["growth"] else ("speed",)
        return [
            *self._files("tables", shown, ("csv", "tex", "md")),
            *self._files("figures", shown, ("pdf", "png")),
        ]

    def _files(self, folder: str, names: Iterable[str], endings: Iterable[str]) -> list[str]:
        endings = tuple(endings)
        return [f"{self.study.results}{folder}/{name}.{ending}" for name in names for ending in endings]

    def _shown(self) -> tuple[list[str], list[str]]:
        """Tables and figures that this study has something for."""
        study, scopes = self.study, self.cells.scopes
        unclocked = set() if study.config["clock"]["queries"] else {"frontier"}
        absent = {*MEASURED, *unclocked, *({"ablation", "seeds", "fused"} - {*scopes})}
        # On one benchmark alone there is nowhere to go.
        tables = absent | ({"transfer"} if len(study.common) < 2 else set())
        figures = {*MEASURED, *unclocked, *({"queries"} - {*scopes})}
        figures |= set() if study.routed else {"routes"}
        figures |= set() if {*WRITING} & {*study.generative} else {"success"}
        # One criterion alone overlaps with nothing.
        figures |= {"overlap"} if len(self.cells.criteria) < 2 else set()
        return [name for name in TABLES if name not in tables], [n for n in FIGURES if n not in figures]

    @property
    def ndcg(self) -> str:
        """The metric that tables and figures show."""
        return f"nDCG@{self.study.config['evaluation']['cutoff']}"

    def table_options(self, name: str) -> dict[str, Any]:
        """What a table's function is told beside its frames."""
        study, config = self.study, self.study.config
        metric, backbones = {"metric": self.ndcg}, {"backbones": study.backbones}
        averages, alpha = {"averages": config["averages"]}, {"alpha": config["evaluation"]["alpha"]}
        every, common = {"benchmarks": study.panel}, {"benchmarks": study.common}
        seeds = {
            "headrank": config["headrank"]["training"]["seed"],
            **dict(zip(study.seeded, config["seeds"], strict=True)),
        }
        options: dict[str, dict[str, Any]] = {
            "main": {
                **metric,
                "baseline": config["evaluation"]["baseline"],
                **backbones,
                **every,
                **averages,
                **alpha,
            },
            "ablation": {**metric, **every, **averages, **alpha},
            "rivals": {
                **metric,
                **backbones,
                "panels": [*config["averages"], *(["mean"] if len(study.common) > 1 else study.common)],
                "averages": list(config["averages"]),
                **alpha,
            },
            "fused": {
                "k": config["evaluation"]["fusion"],
                **metric,
                **backbones,
                **every,
                **averages,
                **alpha,
            },
            "claims": {**backbones, **alpha},
            "seeds": {"seeds": seeds, **metric, **backbones, **every, **averages},
            "selectivity": {**backbones, **averages},
            "homogenisation": {**backbones, **averages},
            "controls": {**metric, **backbones, **common, **averages},
            "transfer": {**metric, **backbones, **common},
            "frontier": self._clocked(),
        }
        return options.get(name, {})

    def figure_options(self, name: str) -> dict[str, Any]:
        """What a figure's function is told beside its frames."""
        study = self.study
        metric, backbones = {"metric": self.ndcg}, {"backbones": study.backbones}
        criteria = {"methods": self.cells.criteria}
        options: dict[str, dict[str, Any]] = {
            "homogenisation": backbones,
            "selectivity": backbones,
            "heads": {**backbones, "statistic": "selection", "label": "selection score"},
            "head_maps": {"backbones": study.backbones[:4], **criteria},
            "overlap": {**backbones, **criteria},
            "routes": {**backbones, "benchmarks": study.panel},
            "controls": {**metric, **backbones, "benchmarks": study.common},
            "depth": {**backbones, **metric},
            "training": backbones,
            "queries": metric,
            "success": backbones,
            "frontier": self._clocked(),
        }
        return options.get(name, {})

    def _clocked(self) -> dict[str, Any]:
        config = self.study.config
        benchmarks = config["averages"].get(config["clock"]["average"], self.study.common)
        return {"metric": self.ndcg, "benchmarks": benchmarks, "backbones": self.study.backbones}
