"""Configurations of studies: the file as YAML, its keys, and every value's type and range."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_files import DATA, NOT_FOUND, PROPERTY, SCRATCH, USAGE, Bad, cases, changed, damaged, outcome
from hypothesis import given, settings
from studies import REPOSITORY, SCHEMA

from headrank.errors import InputError
from headrank.settings import Settings, to_mapping
from headrank.workflow.configuration import check_places, complete
from headrank.workflow.yaml_files import check_file

PATH = REPOSITORY / "config" / "mini.yaml"
TEXT = PATH.read_text(encoding="utf-8")
MINI = yaml.safe_load(TEXT)
SHORT = (
    "name: a\nseed: 4\nbackbones: {b: &b {source: local, path: m}, c: *b}\nheadrank:\n  loss: {beta: 2.0}\n"
)
# The whole schema is looked through for each.
FEW = settings(PROPERTY, max_examples=30)


def check(path: Path) -> dict[str, Any]:
    """What the Snakefile does before anything else; Snakemake itself reads the file first."""
    check_file(path)
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    complete(config, [path], SCHEMA)
    check_places(config, str(path.parent))
    return config


def added(line: str) -> str:
    return f"{TEXT}\n{line}\n"


def edited(place: str, value: Any) -> str:
    """The configuration with the value at a dotted place replaced, or removed where it is ``...``."""
    config = deepcopy(MINI)
    *parents, key = place.split("/")
    part = config
    for parent in parents:
        part = part.setdefault(parent, {})
    part[key] = value
    if value is ...:
        del part[key]
    return yaml.safe_dump(config)


@cases(
    Bad("a list", "[1, 2]", "configuration: .* is not of type 'object'|expected", USAGE),
    Bad("tabs", "a:\n\tb: 1\n", "line 2: no YAML", USAGE),
    Bad("an open bracket", added("x: [1"), "line \\d+: no YAML", USAGE),
    Bad("an open quote", added("x: 'a"), "line \\d+: no YAML", USAGE),
    Bad("a colon too many", added("x: a: b"), "line \\d+: no YAML", USAGE),
    Bad("two documents", f"{TEXT}\n---\n{TEXT}", "line \\d+: no YAML", USAGE),
    Bad("an unknown alias", added("x: *nowhere"), "line \\d+: no YAML: found undefined alias", USAGE),
    Bad("NUL", added("x: \0"), "no YAML", USAGE),
    Bad("Latin-1", b"name: caf\xe9\n", "not UTF-8 text", USAGE),
    Bad("UTF-16", TEXT.encode("utf-16"), "not UTF-8 text", USAGE),
    Bad("a key twice", added("seed: 4\nseed: 5"), "seed: given twice, at line \\d+; keep one", USAGE),
    Bad("a key twice within", added("x: {a: 1, a: 2}"), "x.a: given twice, at line \\d+", USAGE),
    Bad("a number for a key", added("1: a"), "1: a key of type int, at line \\d+", USAGE),
    Bad("a truth for a key", added("on: a"), "on: a key of type bool, at line \\d+", USAGE),
    Bad("a list for a key", added("? [a]\n: 1"), "a key of type seq, at line \\d+", USAGE),
    Bad("an octal number", added("x: 010"), "x: YAML reads 010 as 8, at line \\d+", USAGE),
    Bad("a time of day", added("x: 1:30"), "x: YAML reads 1:30 as 90, at line \\d+", USAGE),
    Bad("NaN", added("x: .nan"), "x: expected a finite number, got .nan, at line \\d+", USAGE),
    Bad("infinity", added("x: [.inf]"), "x.0: expected a finite number, got .inf, at line \\d+", USAGE),
    Bad("an object of Python", added("x: !!python/object/apply:os.system [ls]"), "x: has the tag", USAGE),
    Bad("a tag of its own", added("x: !own 3"), "x: has the tag '!own', at line \\d+", USAGE),
    Bad("binary", added("x: !!binary aGVsbG8="), "x: has the tag", USAGE),
    Bad("a set", added("x: !!set {a, b}"), "x: has the tag", USAGE),
    Bad("an alias of itself", added("x: &x [*x]"), "more than 50000 values or 32 levels", USAGE),
    Bad("aliases of aliases", "\n".join(["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i-1}, *a{i-1}]" for i in range(1, 30))]),
        "more than 50000 values or 32 levels", USAGE),
    Bad("an alias many times", "a: &a [" + "*a, " * 9999 + "1]", "more than 50000 values or 32 levels", USAGE),
    Bad("nested deeply", "x: " + "[" * 20_000, "more than 50000 values or 32 levels", USAGE),
    Bad("60000 values", f"x: [{'1, ' * 60_000}1]", "more than 50000 values", USAGE),
    Bad("a file of 2 MiB", "x: " + "y" * (2 << 20), "more than 1 MiB, too large"),
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused(bad: Bad, tmp_path: Path) -> None:
    refused(bad, tmp_path)


@cases(
    Bad("an unknown key", edited("trainon", []), "trainon: unknown key; did you mean 'train_on'", USAGE),
    Bad("an unknown key with a line end", edited("train\non", []), "'train\\\\non': unknown key", USAGE),
    Bad("an unknown key within", edited("headrank/prompt/trunctae_words", 9), "headrank.prompt.trunctae_words: unknown key; did", USAGE),
    Bad("an unknown key of a backbone", edited("backbones/small/planted/layrs", 3), "backbones.small.planted.layrs: unknown", USAGE),
    Bad("an unknown key of a variant", edited("variants/fast", {"trainig": {}}), "variants.fast.trainig: unknown key", USAGE),
    Bad("a text for a number", edited("threads", "many"), "threads: 'many' is not of type 'integer'", USAGE),
    Bad("a fraction for a number", edited("threads", 1.5), "threads: 1.5 is not of type 'integer'", USAGE),
    Bad("a float for an integer", edited("seed", 2.0), "seed: 2.0 is not of type 'integer'", USAGE),
    Bad("true for a number", edited("seed", True), "seed: True is not of type 'integer'", USAGE),
    Bad("null for a number", edited("seed", None), "seed: None is not of type 'integer'", USAGE),
    Bad("a number for a list", edited("panel", 3), "panel: 3 is not of type 'array'", USAGE),
    Bad("a text for a list", edited("methods", "icr"), "methods: 'icr' is not of type 'array'", USAGE),
    Bad("a list for a mapping", edited("backbones", []), "backbones: \\[\\] is not of type 'object'", USAGE),
    Bad("a number below its range", edited("seed", -1), "seed: -1 is less than the minimum", USAGE),
    Bad("a number of 400 digits", edited("seed", 10**400), "seed: a number of 401 digits, at line", USAGE),
    Bad("a share above 1", edited("headrank/training/heldout_share", 1.5), "headrank.training.heldout_share: 1.5", USAGE),
    Bad("a loss that is none", edited("headrank/loss/form", "dop"), "headrank.loss.form: 'dop' is not one of", USAGE),
    Bad("a weight below 0", edited("headrank/selection/entropy_weight", -1), "entropy_weight: -1 is less than", USAGE),
    Bad("0 layers", edited("backbones/small/planted/layers", 0), "planted.layers: 0 is less than the minimum of 1", USAGE),
    Bad("a name with a slash", edited("name", "a/b"), "name: 'a/b' does not match", USAGE),
    Bad("a name that leads out", edited("name", ".."), "name: '..' does not match", USAGE),
    Bad("a name with a line end", edited("name", "a\n"), "name: 'a\\\\n' does not match", USAGE),
    Bad("an empty name", edited("name", ""), "name: '' ", USAGE),
    Bad("an unknown method", edited("methods", ["icrr", "headrank-untrained"]), "methods.0: 'icrr' is not one of", USAGE),
    Bad("an unknown metric", edited("evaluation/metrics", ["ndgc@10"]), "evaluation.metrics: 'ndgc@10' is unknown", USAGE),
    Bad("a metric twice", edited("evaluation/metrics", ["map", "map"]), "evaluation.metrics: 'map' is given twice", USAGE),
    Bad("an unknown collection", edited("train_on", ["trainin"]), "train_on: 'trainin' is not among the collections", USAGE),
    Bad("an unknown benchmark", edited("averages", {"two": ["in-domian"]}), "averages.two: 'in-domian' is not among", USAGE),
    Bad("an unknown source", edited("backbones/small/source", "web"), "backbones.small.source: 'web' is not one of", USAGE),
    Bad("no method for the baseline", edited("evaluation/baseline", "comprank"), "evaluation.baseline: ", USAGE),
    Bad("more heads than there are", edited("backbones/small/headrank/selection/k", 17), "backbones.small.headrank.selection.k: 17 heads of backbone 'small', which has 16", USAGE),
    Bad("more heads for QRHead", edited("backbones/small/headrank/baselines/qrhead_k", 40), "backbones.small.headrank.baselines.qrhead_k: 40 heads of backbone 'small', which has 16", USAGE),
    Bad("more heads for CoRe", edited("backbones/small/headrank/baselines/core_k", 17), "backbones.small.headrank.baselines.core_k: 17 heads of backbone 'small'", USAGE),
    Bad("more heads in a variant", edited("variants/many", {"selection": {"k": 99}}), "variants.many.selection.k: 99 heads", USAGE),
    Bad("more heads in a trained baseline", edited("trained_baselines/q", {"heads": "qrhead", "baselines": {"qrhead_k": 99}}),
        "trained_baselines.q.baselines.qrhead_k: 99 heads of backbone", USAGE),
    Bad("a stride beyond the window", edited("generative/stride", 30), "generative.stride: 30 is more than the window", USAGE),
    Bad("a range backwards", edited("headrank/pairs/middle_zone", [15, 6]), "middle_zone: \\[15, 6\\] is no range", USAGE),
    Bad("a model that is not there", edited("rerankers", {"r": {"source": "local", "path": "none"}}), "rerankers.r.path: no ", NOT_FOUND),
    Bad("a collection that is not there", edited("collections/x", {"source": "local", "path": "none", "run": "r"}), "collections.x.path: no", NOT_FOUND),
    Bad("a path with braces", edited("collections/x", {"source": "local", "path": "{a}", "run": "r"}), "collections.x.path: '{a}' has braces", NOT_FOUND),
)  # fmt: skip
def test_keys_and_values_that_do_not_hold_are_refused(bad: Bad, tmp_path: Path) -> None:
    refused(bad, tmp_path)


def refused(bad: Bad, folder: Path) -> None:
    path = folder / "study.yaml"
    content = bad.content
    assert not callable(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=bad.message) as caught:
        check(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == bad.status


@pytest.mark.parametrize(("name", "message"), [("none.yaml", "No such file"), ("", "Is a directory")])
def test_a_configuration_that_is_not_there(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=message):
        check_file(tmp_path / name)


@PROPERTY
@given(damaged(SHORT.encode()))
def test_any_damage_is_read_or_refused(content: bytes) -> None:
    path = SCRATCH / "study.yaml"
    path.write_bytes(content)
    _, error = outcome(check_file, path)
    assert error is None or "\n" not in str(error)


def completed(value: dict[str, Any]) -> dict[str, Any]:
    complete(value, [], SCHEMA)
    check_places(value, str(SCRATCH))
    return value


@FEW
@given(changed(MINI).filter(lambda value: isinstance(value, dict)))
def test_any_other_value_is_completed_or_refused(value: dict[str, Any]) -> None:
    config, error = outcome(completed, value)
    if error is None:
        Settings.from_mapping(config["headrank"])
    else:
        assert "\n" not in str(error)
        assert error.exit_status != DATA


@PROPERTY
@given(changed(to_mapping(Settings())))
def test_any_other_settings_are_read_or_refused(value: Any) -> None:
    settings, error = outcome(Settings.from_mapping, value)
    if error is None:
        assert Settings.from_mapping(json.loads(json.dumps(to_mapping(settings)))) == settings
    else:
        assert str(error).startswith("headrank")
        assert error.exit_status == USAGE
