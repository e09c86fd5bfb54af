"""Settings from mappings: defaults, nesting, and one line for every kind of mistake."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from headrank.errors import InputError
from headrank.settings import PairSettings, Settings, to_mapping


def test_an_empty_mapping_gives_the_defaults():
    assert Settings.from_mapping({}) == Settings()


def test_defaults_are_the_reconstruction_s():
    s = Settings()
    assert (s.query_span, s.document_span) == ("query", "text")
    assert (s.candidates.depth, s.candidates.order, s.prompt.truncate_words) == (40, "best-first", 300)
    assert (s.mass.length_alpha, s.mass.epsilon) == (0, 1e-6)
    assert (s.selection.k, s.selection.entropy_weight, s.selection.min_discrimination) == (8, 0.2, 0.5)
    assert (s.lists.size, s.lists.per_grade, s.lists.per_query_per_epoch) == (40, 8, 10)
    assert (s.pairs.per_list, s.pairs.middle_share, s.pairs.middle_zone) == (64, 0.5, (11, 30))
    assert (s.loss.form, s.loss.beta, s.loss.gamma) == ("dpo", 2, 0.5)
    assert (s.regulariser.form, s.regulariser.weight, s.regulariser.tau) == ("soft-grades", 0.5, 0.5)
    t = s.training
    assert (t.lora_r, t.lora_alpha, t.lora_dropout, t.learning_rate) == (16, 32, 0.05, 1e-4)
    assert (t.weight_decay, t.warmup, t.clip, t.batch_lists, t.epochs) == (0, 0.05, 1, 8, 3)
    assert (s.inference.calibrate, s.inference.outlier_mask) == (False, False)


def test_nested_keys_change_what_they_name_and_nothing_else():
    s = Settings.from_mapping(
        {"selection": {"k": 16}, "pairs": {"middle_zone": [6, 15]}, "query_span": "instruction+query"}
    )
    expected = dataclasses.replace(
        Settings(),
        selection=dataclasses.replace(Settings().selection, k=16),
        pairs=PairSettings(middle_zone=(6, 15)),
        query_span="instruction+query",
    )
    assert s == expected


def test_a_mapping_comes_back_through_json():
    s = Settings.from_mapping(
        {"loss": {"beta": 3}, "training": {"queries": 53}, "selection": {"stability_std": 0.1}}
    )
    assert Settings.from_mapping(json.loads(json.dumps(to_mapping(s)))) == s


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"selektion": {}}, "headrank.selektion: unknown key; did you mean 'selection'?"),
        (
            {"prompt": {"trunctae_words": 3}},
            "headrank.prompt.trunctae_words: unknown key; did you mean 'truncate_words'?",
        ),
        (
            {"mass": {"zzz": 3}},
            "headrank.mass.zzz: unknown key; known keys: calibration, epsilon, length_alpha",
        ),
        ({"selection": 3}, "headrank.selection: expected a mapping, got 3"),
        ({"selection": None}, "headrank.selection: expected a mapping, got None"),
        # A misspelt choice must not fall through to the other branch of an if.
        (
            {"loss": {"form": "dop"}},
            "headrank.loss.form: expected one of dpo, reference-free, group-contrastive, pointer, got 'dop'",
        ),
        ({"query_span": "all"}, "headrank.query_span: expected one of query, instruction+query, "),
        ({"selection": {"k": "8"}}, "headrank.selection.k: expected int, got '8'"),
        ({"selection": {"k": 8.5}}, "headrank.selection.k: expected int, got 8.5"),
        ({"selection": {"k": True}}, "headrank.selection.k: expected int, got True"),
        # YAML 1.1 reads 1e-4 as text.
        (
            {"training": {"learning_rate": "1e-4"}},
            "headrank.training.learning_rate: expected a finite number, got '1e-4'",
        ),
        ({"training": {"queries": "all"}}, "headrank.training.queries: expected int | None, got 'all'"),
        ({"lists": {"dedupe": 1}}, "headrank.lists.dedupe: expected bool, got 1"),
        ({"prompt": {"family": 3}}, "headrank.prompt.family: expected str, got 3"),
        ({"pairs": {"middle_zone": [11]}}, "headrank.pairs.middle_zone: expected 2 values, got [11]"),
        ({"pairs": {"middle_zone": [11, "b"]}}, "headrank.pairs.middle_zone: expected int, got 'b'"),
        ({"pairs": {"middle_zone": "11-30"}}, "headrank.pairs.middle_zone: expected a list, got '11-30'"),
        ({"pairs": {"middle_zone": [0, 3]}}, "headrank.pairs.middle_zone: expected at least 1, got 0"),
        # NaN is within all bounds, as every comparison with it is false.
        ({"mass": {"epsilon": math.nan}}, "headrank.mass.epsilon: expected a finite number, got nan"),
        (
            {"training": {"learning_rate": math.inf}},
            "headrank.training.learning_rate: expected a finite number",
        ),
        ({"training": {"cache_gib": -math.inf}}, "headrank.training.cache_gib: expected a finite number"),
        (
            {"selection": {"stability_std": math.nan}},
            "headrank.selection.stability_std: expected a finite number",
        ),
        (
            {"baselines": {"core_temperatures": [math.nan]}},
            "headrank.baselines.core_temperatures: expected a finite",
        ),
        ({"loss": {"beta": 10**400}}, "headrank.loss.beta: expected a finite number, got 1000"),
        pytest.param(
            {"loss": {"beta": 10**5000}}, "headrank.loss.beta: expected a finite number", id="digits"
        ),
        ({"training": {"seed": 2**32}}, "headrank.training.seed: expected at most 4294967295"),
        ({1: {}}, "headrank.1: unknown key"),
        ({"selection": {"k": 0}}, "headrank.selection.k: expected at least 1, got 0"),
        ({"selection": {"depth": 0}}, "headrank.selection.depth: expected more than 0, got 0"),
        ({"selection": {"depth": 1.5}}, "headrank.selection.depth: expected at most 1, got 1.5"),
        ({"training": {"lora_dropout": 1}}, "headrank.training.lora_dropout: expected less than 1, got 1"),
        ({"training": {"queries": 0}}, "headrank.training.queries: expected at least 1, got 0"),
        (
            {"baselines": {"core_temperatures": [0.1, 0.0]}},
            "headrank.baselines.core_temperatures: expected more than 0, got 0.0",
        ),
    ],
)
def test_mistakes_are_named(mapping: dict[str, Any], message: str):
    with pytest.raises(InputError) as caught:
        Settings.from_mapping(mapping)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_whole_numbers_stand_for_floats_and_null_for_none():
    s = Settings.from_mapping(
        {"loss": {"beta": 2}, "selection": {"stability_std": None}, "training": {"queries": None}}
    )
    assert s == Settings()
