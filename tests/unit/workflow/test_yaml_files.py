"""A configuration as it is written, and its values: what would be read otherwise, or never ends, is refused by name."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from studies import REPOSITORY, SCHEMA

from headrank.errors import InputError
from headrank.workflow.configuration import check_places, complete
from headrank.workflow.yaml_files import DEPTH, check_file

MINI = yaml.safe_load((REPOSITORY / "config" / "mini.yaml").read_text(encoding="utf-8"))
BOMB = "\n".join(["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}" for i in range(1, 40))])
LISTS = "\n".join(["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 25))])
MERGES = "\n".join(["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 25))])


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """A check that does not end fails, rather than stopping all tests."""

    def stop(*_: object) -> None:
        raise TimeoutError("the check does not end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("headrank: {mass: {epsilon: .nan}}", "headrank.mass.epsilon: expected a finite number, got .nan, at line 1"),
        ("a:\n  - 1.0\n  - -.Inf", "a.1: expected a finite number, got -.Inf, at line 3"),
        ("seed: 0211", "seed: YAML reads 0211 as 137, at line 1; write 137, or quote it as text"),
        ("a: [-0_17]", "a.0: YAML reads -0_17 as -15"),
        ("a: 1:30", "a: YAML reads 1:30 as 90"),
        ("collections: {1: {}}", 'collections.1: a key of type int, at line 1; write "1", in quotes'),
        ("on: 1", "on: a key of type bool, at line 1"),
        ("a:\n  ~: 1", "a.~: a key of type null, at line 2"),
        ("1.5: a", "1.5: a key of type float"),
        ("2020-01-01: a", "2020-01-01: a key of type timestamp"),
        ("? [a]\n: 1", "a key of type seq, at line 1"),
        ("a: 1\nb: 2\na: 3", "a: given twice, at line 3; keep one"),
        ("a: {b: 1, b: 1}", "a.b: given twice"),
        ("a: [{b: 1, b: 1}]", "a.0.b: given twice"),
        ("a: !!python/object/apply:os.system [ls]", "a: has the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("a: !own 3", "a: has the tag '!own'"),
        ("a: 1\n\tb: 2", "line 2: no YAML: "),
        ("a: [1", "line 1: no YAML: "),
        ("a: 1\n---\na: 2", "line 2: no YAML: "),
        ("a: " + "[" * 50_000, "more than 50000 values or 32 levels"),
        (f"a: {'[' * (DEPTH + 1)}{']' * (DEPTH + 1)}", "more than 50000 values or 32 levels"),
        ("a: &a [*a]", "more than 50000 values or 32 levels"),
        (BOMB, "more than 50000 values or 32 levels"),
        (LISTS, "more than 50000 values or 32 levels"),
        (MERGES, "more than 50000 values or 32 levels"),
        ("a: " + "x" * (1 << 20), "more than 1 MiB"),
        (b"a: \xff", "not UTF-8 text"),
    ],
)  # fmt: skip
def test_what_yaml_would_misread_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as told:
        complete(deepcopy(MINI), [path], SCHEMA)
    # Only the fault of the whole file names the file, which the caller names as well.
    assert message in str(told.value)
    assert message.startswith("more than 1 MiB") or not str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["a: '0211'", "a: 0", "a: 0.5", "a: 0x1f", "a: &x {b: 1}\nc: {<<: *x}", "a: 00.5", ""]
)
def test_what_is_read_as_written_passes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    check_file(path)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configurations_of_the_repository_pass(path: Path) -> None:
    check_file(path)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("headrank.mass.epsilon", NAN, "headrank.mass.epsilon: expected a finite number, got nan"),
        ("first_stage.tolerance", NAN, "first_stage.tolerance: expected a finite number, got nan"),
        ("headrank.training.learning_rate", INF, "headrank.training.learning_rate: expected a finite number"),
        ("variants.k-2.loss.beta", -INF, "variants.k-2.loss.beta: expected a finite number, got -inf"),
        ("headrank.baselines.core_temperatures", [0.1, NAN], "headrank.baselines.core_temperatures.1: expected"),
        ("collections.training.published.ndcg", NAN, "collections.training.published.ndcg: expected"),
        ("first_stage.k1", 10**400, "first_stage.k1: expected a finite number, got 1000"),
        pytest.param("seed", 10**5000, "seed: expected a finite number, got int of too many", id="digits"),
        ("seed", 2**32, "seed: 4294967296 is greater than the maximum"),
        ("seeds", [-1], "seeds.0: -1 is less than the minimum"),
        ("headrank.training.seed", 2**64, "headrank.training.seed: 18446744073709551616 is greater"),
        ("headrank.training.epochs", 10**9, "headrank.training.epochs: 1000000000 is greater"),
        ("shards", 1_000_000, "shards: 1000000 is greater than the maximum of 1000"),
        ("evaluation.draws", 10**9, "evaluation.draws: 1000000000 is greater"),
        ("threads", 2.0, "threads: 2.0 is not of type 'integer'"),
        ("panel", ["x" * 10**6], "panel.0: 'xxx"),
        ("name", "mini\n", "name: 'mini\\n' does not match"),
        ("device", "cuda:0\n", "device: 'cuda:0\\n' does not match"),
        ("variants.a\n", {}, "variants: 'a\\n' does not match"),
        ("averages.a\n", ["in-domain"], "averages: 'a\\n' does not match"),
        ("variants." + "x" * 101, {}, "variants: 'xxx"),
        ("collections", {1: {}}, "collections.1: the key is no text; write it in quotes"),
        ("averages", {True: []}, "averages.True: the key is no text"),
        ("averages", {None: []}, "averages.None: the key is no text"),
        ("variants.routes", {}, "variants.routes: a file next to the method's has this name"),
        ("trained_baselines.none", {}, "trained_baselines.none: a file next to the method's has this name"),
        ("backbones.small-marks", MINI["backbones"]["small"], "backbones.small-marks: the name belongs to a file"),
        ("variants.k-2.selection.k", 99, "variants.k-2.selection.k: 99 heads of backbone 'small', which has 16"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_by_its_place(place: str, value: Any, message: str) -> None:
    config = deepcopy(MINI)
    *parents, key = place.split(".")
    part = config
    for parent in parents:
        part = part.setdefault(parent, {})
    part[key] = deepcopy(value)
    with pytest.raises(InputError) as told:
        complete(config, [], SCHEMA)
    assert str(told.value).startswith(message)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 600


def test_a_variant_of_another_seed_is_not_that_of_a_variant() -> None:
    config = deepcopy(MINI) | {"seeds": [1]}
    config["variants"]["headrank-seed-1"] = {}
    with pytest.raises(InputError, match=r"variants.headrank-seed-1: the name belongs to one of seeds"):
        complete(config, [], SCHEMA)


def test_mappings_within_mappings_end() -> None:
    for text in (BOMB, LISTS):
        with pytest.raises(InputError, match="more than 50000 values or 32 levels"):
            complete(MINI | {"variants": yaml.safe_load(text)}, [], SCHEMA)
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with pytest.raises(InputError, match="more than 50000 values or 32 levels"):
        complete(MINI | {"variants": endless}, [], SCHEMA)


@pytest.mark.parametrize("path", ["a{x}", "{}", "a\nb"])
def test_paths_that_snakemake_would_take_for_wildcards_are_refused(path: str) -> None:
    config = deepcopy(MINI)
    complete(config, [], SCHEMA)
    with pytest.raises(InputError, match=r"^data or HEADRANK_DATA: .* rename it, or use a link"):
        check_places(config, path)
    config["collections"]["training"]["run"] = path
    with pytest.raises(InputError, match=r"^collections.training.run: .* rename it, or use a link"):
        check_places(config, ".")
