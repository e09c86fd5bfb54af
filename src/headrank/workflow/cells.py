"""What a study evaluates: the cells (backbone, benchmark, method) of each metrics file, and the pairs tested."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from headrank.methods.entries.pointwise import JUDGE
from headrank.workflow.settings import headrank_of
from headrank.workflow.study import Study

Cell = tuple[str, str, str]
# Metrics files that cover all backbones; the others cover the ablation's.
_EVERYWHERE = ("main", "seeds", "fused")
# Methods that the controls of head choice are compared with.
_REFERENCES = ("headrank-untrained", "core", "qrhead", "icr")


class Cells:
    """The cells of one study. scope: the name of a metrics file."""

    def __init__(self, study: Study) -> None:
        self.study = study
        config = study.config
        # A generative method that ran on part of the queries cannot be compared; only its answers and costs are shown.
        given = config["generative"]
        some = study.panel if given["queries"] is None else given["whole"]
        self.whole: list[str] = [name for name in some if name in study.panel]
        # Adapters of the main table.
        self.adapters: list[str] = [*config["trained_baselines"], "headrank"] if study.trains else []
        compared = [*study.frozen, *self.adapters, *(study.generative if self.whole else [])]
        pair = ["headrank-untrained", "headrank"]
        # What each metrics file covers, besides the first stage.
        self.methods: dict[str, list[str]] = {
            "main": compared,
            "ablation": [*pair, *config["ablation"]["variants"]],
            "queries": [*pair, *config["ablation"]["queries"]],
            "seeds": [*pair, *study.seeded],
            "fused": compared,
        }

    @cached_property
    def scopes(self) -> list[str]:
        """Metrics files of this study: without variants there is nothing to show in an ablation."""
        config = self.study.config
        return [
            "main",
            *(["ablation"] if config["ablation"]["variants"] else []),
            *(["queries"] if config["ablation"]["queries"] else []),
            *(["seeds"] if self.study.seeded else []),
            *(["fused"] if config["evaluation"]["fusion"] is not None else []),
        ]

    def of(self, scope: str) -> list[Cell]:
        """Each ranking by a model that a metrics file covers."""
        backbones = self.study.backbones if scope in _EVERYWHERE else [self.study.ablated]
        places = [(b, d) for b in backbones for d in self.study.panel_of(b)]
        return [
            (b, d, m)
            for b, d in places
            for m in self.methods[scope]
            if self.runs_on(m, b) and self._compares(m, d)
        ]

    @cached_property
    def told(self) -> list[Cell]:
        """The cells of the main table, and those of generative methods that it leaves out."""
        more = [
            (b, d, m)
            for b, d in self.places
            for m in self.study.generative
            if self.runs_on(m, b) and not self._compares(m, d)
        ]
        return self.of("main") + more

    def runs_on(self, method: str, backbone: str) -> bool:
        """Whether a method runs on a backbone at all."""
        if method == JUDGE:
            return backbone in self.study.judged
        return self.study.has_baseline(method, backbone)

    def _compares(self, method: str, benchmark: str) -> bool:
        """Whether a method has a ranking for every query of the benchmark."""
        if method in self.study.generative:
            return benchmark in self.whole
        return self.study.ranks(method, benchmark)

    def adapters_of(self, backbone: str) -> list[str]:
        """The backbone's adapters of the main table."""
        return [name for name in self.adapters if self.study.has_baseline(name, backbone)]

    @cached_property
    def criteria(self) -> list[str]:
        """Head sets, named after the methods that chose them."""
        return [
            *self.study.detected,
            *(["routehead"] if self.study.routed else []),
            *(["headrank"] if self.study.trains else []),
        ]

    @cached_property
    def heads(self) -> list[tuple[str, str]]:
        """(backbone, head set) of every head set that the cost table needs."""
        names = [*self.criteria, *self.study.config["trained_baselines"]]
        return [(b, m) for b in self.study.backbones for m in names if self.study.has_baseline(m, b)]

    @cached_property
    def places(self) -> list[tuple[str, str]]:
        """(backbone, benchmark) of all that is ranked."""
        return [(b, d) for b in self.study.backbones for d in self.study.panel_of(b)]

    @property
    def references(self) -> list[str]:
        return [name for name in _REFERENCES if name in self.study.frozen]

    @property
    def independent(self) -> list[str]:
        """Trained methods that read each passage on its own."""
        return [
            method
            for method, over in self.study.trained.items()
            if over.get("encoding", {}).get("documents") == "independent"
        ]

    @property
    def logarithmic(self) -> list[str]:
        """Backbones on which HeadRank's scores are means of logarithms."""
        headrank = {b: headrank_of(self.study.config, b) for b in self.study.backbones}
        return [b for b, whole in headrank.items() if whole["loss"]["score"] == "mean-log"]

    def compared(self, scope: str) -> list[tuple[str, str]]:
        """(method, baseline) pairs of one family of tests."""
        main = self.methods["main"]
        if scope == "rivals":
            return [("headrank", m) for m in ["bm25", *main] if m != "headrank"]
        if scope == "fused":
            return [(m, "bm25") for m in main]
        if scope == "ablation":
            return [(m, "headrank") for m in self.methods["ablation"] if m != "headrank"]
        baseline: str = self.study.config["evaluation"]["baseline"]
        pairs = [(m, baseline) for m in main if m != baseline]
        pairs += [("headrank", "headrank-untrained"), ("qrhead", "icr")]
        return [pair for pair in dict.fromkeys(pairs) if set(pair) <= {*main, "bm25"}]

    def fusion(self, scope: str) -> int | None:
        """The constant by which runs are fused with the first stage before they are evaluated; None if they are not."""
        constant: int | None = self.study.config["evaluation"]["fusion"]
        return constant if scope == "fused" else None

    # Files

    def rankings_of(self, scope: str) -> list[str]:
        """The rankings that a metrics file covers."""
        return self.rankings(self.of(scope))

    def runs_of(self, scope: str) -> list[str]:
        """The same, as TREC runs."""
        return self.runs(self.of(scope))

    def tested(self, scope: str) -> str:
        """The metrics file that a family of tests uses."""
        return f"{self.study.results}metrics/{'main' if scope == 'rivals' else scope}.parquet"

    def adapter_files(self, backbone: str) -> list[str]:
        """Weights of the backbone's adapters of the main table."""
        place = f"{self.study.results}adapters/{backbone}"
        return [f"{place}/{name}/adapter_model.safetensors" for name in self.adapters_of(backbone)]

    def rankings(self, cells: list[Cell]) -> list[str]:
        """The rankings of the cells, in their order."""
        return [f"{self.study.results}runs/{b}/{d}/{m}.parquet" for b, d, m in cells]

    def runs(self, cells: list[Cell]) -> list[str]:
        """The runs of the cells, in their order."""
        return [f"{self.study.results}runs/{b}/{d}/{m}.trec" for b, d, m in cells]

    def calls(self, cells: list[Cell]) -> list[str]:
        """What generative methods answered, in the cells' order."""
        asked = [(b, d, m) for b, d, m in cells if m in self.study.generative]
        return [f"{self.study.results}runs/{b}/{d}/{m}.calls.jsonl.gz" for b, d, m in asked]

    def head_sets(self) -> list[str]:
        """The files of ``heads``."""
        return [f"{self.study.results}heads/{b}/{m}.json" for b, m in self.heads]

    def all_runs(self) -> list[str]:
        """Every ranking that is evaluated or counted, without repetition, and the candidates behind them."""
        study = self.study
        cells = dict.fromkeys(cell for scope in [*map(self.of, self.scopes), self.told] for cell in scope)
        return [
            *self.runs(list(cells)),
            *(
                f"{study.results}collections/{c}/{n}.trec"
                for c in study.collections.used
                for n in ("first-stage", "candidates")
            ),
            *(f"{study.results}{pool}/candidates.trec" for pool in study.detected_on),
        ]

    def claimed(self) -> dict[str, list[str]]:
        """Rankings before and after training, whose middle zones the claims compare, and RankGPT's answers."""
        places = [f"{self.study.results}runs/{b}/{d}" for b, d in self.places]
        return {
            "trained": [f"{place}/headrank.parquet" for place in places],
            "untrained": [f"{place}/headrank-untrained.parquet" for place in places],
            "calls": [
                f"{place}/rankgpt.calls.jsonl.gz" for place in places if "rankgpt" in self.study.generative
            ],
        }

    def models_of_claims(self) -> dict[str, str]:
        """Name on the hub of each backbone, empty for weights from elsewhere."""
        specs: dict[str, Any] = self.study.config["backbones"]
        return {b: spec["id"] if spec["source"] == "hub" else "" for b, spec in specs.items()}
