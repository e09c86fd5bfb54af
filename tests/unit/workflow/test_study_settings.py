"""What of the study's settings a backbone and a variant change."""

from __future__ import annotations

from studies import study_of

from headrank.workflow.settings import headrank_of, overlaid, samples, settings_of, training_queries


def test_nested_keys_are_laid_over_one_by_one() -> None:
    base = {"a": {"x": 1, "y": 2}, "b": 3}
    assert overlaid(base, {"a": {"y": 5}, "c": 4}) == {"a": {"x": 1, "y": 5}, "b": 3, "c": 4}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}


def test_a_variant_changes_what_the_backbone_has_changed_before() -> None:
    study = study_of()
    assert headrank_of(study.config, None)["selection"]["k"] == 8
    assert headrank_of(study.config, "medium")["selection"]["k"] == 6
    assert settings_of(study, ["selection"], "medium", "k-2")["selection"]["k"] == 2
    both = settings_of(study, ["selection", "loss"], "medium", "core-heads")
    assert set(both) == {"selection", "loss"}
    assert both["selection"]["permutations"] == 2
    assert settings_of(study, ["heads"], "medium", "core-heads") == {"heads": "core"}


def test_a_backbone_may_have_a_chat_frame_of_its_own() -> None:
    backbone = {"source": "local", "path": "weights", "family": "plain"}
    study = study_of(backbones={"small": backbone})
    assert settings_of(study, ["prompt"], "small")["prompt"]["family"] == "plain"
    assert settings_of(study, ["prompt"], None)["prompt"]["family"] == "qwen3"


def test_queries_of_an_adapter() -> None:
    study = study_of()
    assert training_queries(study, "small", "queries-53") == 53
    assert training_queries(study, "small", "headrank") is None


def test_as_many_lists_are_drawn_as_any_training_sees() -> None:
    assert samples(study_of(), "training") == 2
    study = study_of(variants={"long": {"training": {"epochs": 5}}}, ablation={"variants": ["long"]})
    assert samples(study, "training") == 5
    # Heads are detected on as many as heads are selected on.
    assert samples(study, "detection") == 2
