"""What is in a study: what its methods need, and nothing more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from studies import REPOSITORY, study_of

from headrank.errors import UsageError
from headrank.workflow.artefacts import FIGURES, TABLES, Artefacts
from headrank.workflow.cells import Cells
from headrank.workflow.settings import criteria, samples
from headrank.workflow.study import Study


def untrained(**changes: Any) -> Study:
    """The mini study without anything that is trained."""
    given: dict[str, Any] = {
        "trained_baselines": {},
        "variants": {},
        "ablation": {},
        "clock": {},
        "injection": {},
    }
    return study_of(without=("generative",), **{**given, **changes})


def shown(study: Study) -> set[str]:
    return {path.removeprefix(study.results).split(".")[0] for path in Artefacts(study, Cells(study)).paper()}


def bench(artefacts: Artefacts) -> set[str]:
    return {Path(path).stem for path in artefacts.bench()}


def test_a_study_with_headrank_trains_it_and_all_beside_it() -> None:
    study = study_of()
    assert study.trains
    assert list(study.trained)[:3] == ["headrank", "qrranker", "comprank"]
    assert study.head_sets[-1] == "headrank"
    assert "selective-icr" in study.head_sets
    assert study.detected_on == ["training", "detection"]
    assert criteria(study)[0] == "headrank"


def test_without_headrank_nothing_is_trained() -> None:
    study = untrained(methods=["icr", "core"])
    assert not study.trains
    assert study.trained == {}
    assert study.head_sets == study.detected == ["core"]
    assert study.detected_on == ["training"]
    # As many lists as heads are judged on, where no training reads more.
    assert samples(study, "training") == 2
    assert Cells(study).methods["main"] == ["icr", "core"]
    assert shown(study) >= {"tables/main", "tables/cost", "figures/main", "figures/head_maps"}
    assert not {"tables/claims", "tables/selectivity", "figures/depth", "figures/overlap"} & shown(study)


def test_without_heads_no_training_query_is_read() -> None:
    study = untrained(methods=["icr"], train_on=[], detect_on=[])
    assert study.head_sets == study.detected_on == []
    assert study.collections.used == study.panel
    assert not any("training" in run for run in Cells(study).all_runs())
    names = ("first_stage", "main", "fused", "format", "cost", "timing")
    assert shown(study) == {"figures/main", *(f"tables/{name}" for name in names)}
    # Beside these, only what the machine's speed is shown in can be asked for.
    artefacts = Artefacts(study, Cells(study))
    assert {*artefacts.possible(TABLES)} == {*names, *({"speed", "growth"} & bench(artefacts))}
    assert {*artefacts.possible(FIGURES)} == {"main", *({"speed", "growth"} & bench(artefacts))}


@pytest.mark.parametrize(("methods", "baseline"), [(["icr"], "bm25"), (["icr", "core"], "core")])
def test_a_study_compares_with_core_where_it_has_it(methods: list[str], baseline: str) -> None:
    assert untrained(methods=methods).config["evaluation"]["baseline"] == baseline


def test_every_model_that_ranks_is_named_once() -> None:
    assert study_of().ranking_models == ["small", "medium", "large"]
    paper = study_of("config")
    assert set(paper.config["rerankers"]) < set(paper.ranking_models)
    assert paper.judged_apart == paper.judged
    assert study_of().judged_apart == []


def test_an_average_over_the_whole_panel_is_the_mean_and_not_shown_twice() -> None:
    averages = {"all": ["other-topics", "in-domain", "long-middle"], "two": ["in-domain", "long-middle"]}
    assert study_of(averages=averages).averages == {"two": ["in-domain", "long-middle"]}


def narrow(panels: dict[str, list[str]], **changes: Any) -> Study:
    """The mini study with backbones that rank only these benchmarks."""
    given = yaml.safe_load((REPOSITORY / "config" / "mini.yaml").read_text(encoding="utf-8"))["backbones"]
    backbones = {name: {**given[name], "panel": panel} for name, panel in panels.items()}
    averages = {"ranked": ["in-domain"], "unranked": ["in-domain", "long-middle"]}
    return study_of(backbones=backbones, averages=averages, **changes)


def test_a_benchmark_that_no_backbone_ranks_is_no_part_of_the_study() -> None:
    study = narrow({"small": ["in-domain", "other-topics"]}, seeds=[5])
    artefacts = Artefacts(study, Cells(study))
    assert study.panel == study.common == ["in-domain", "other-topics"]
    assert "long-middle" not in study.collections.used
    assert not any("long-middle" in run for run in Cells(study).all_runs())
    assert artefacts.told["averages"] == {"ranked": ["in-domain"]}
    assert artefacts.told["compared_panels"] == ["ranked", "mean"]
    for one in (*TABLES.values(), *FIGURES.values()):
        assert "long-middle" not in str(artefacts.options(one)), one.module


def test_what_each_backbone_must_have_is_asked_only_for_common_benchmarks() -> None:
    study = narrow(
        {"small": ["in-domain", "other-topics"], "medium": ["long-middle", "in-domain"]}, seeds=[5]
    )
    artefacts = Artefacts(study, Cells(study))
    assert study.panel == ["in-domain", "other-topics", "long-middle"]
    assert artefacts.options(TABLES["ablation"])["benchmarks"] == ["in-domain", "other-topics"]
    for name in ("seeds", "controls"):
        assert artefacts.options(TABLES[name])["benchmarks"] == ["in-domain"]
        assert artefacts.options(TABLES[name])["averages"] == {"ranked": ["in-domain"]}
    # No backbone ranks all three, so none has a mean over all.
    assert artefacts.told["compared_panels"] == ["ranked", "unranked", "in-domain"]


@pytest.mark.parametrize("section", ["clock", "injection"])
def test_a_benchmark_that_no_backbone_ranks_cannot_be_asked_for(section: str) -> None:
    with pytest.raises(
        UsageError, match=f"{section}.benchmark: 'long-middle' is in the panel of no backbone"
    ):
        narrow({"small": ["in-domain"]}, **{section: {"benchmark": "long-middle"}})
