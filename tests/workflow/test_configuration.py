"""The schema and what happens to a configuration that does not fit it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import CONFIGURATIONS, REPOSITORY, configuration, snakemake

from headrank.errors import InputError
from headrank.workflow.configuration import check_places, complete
from headrank.workflow.schema import read_schema

SCHEMA = read_schema(REPOSITORY / "workflow" / "schemas" / "config.schema.yaml")
DEFINITIONS = SCHEMA["$defs"]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    return {**DEFINITIONS[reference], **schema} if reference else schema


def objects(schema: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the schema with its place; definitions are followed once for each use."""
    schema = resolved(schema)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        yield from objects(schema["items"], f"{place}[]")
    if schema.get("type") != "object":
        return
    yield place, schema
    for key, inner in schema.get("properties", {}).items():
        yield from objects(inner, f"{place}.{key}")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from objects(schema["additionalProperties"], f"{place}.*")


def test_no_object_of_the_schema_takes_unknown_keys() -> None:
    open_ones = [place for place, schema in objects(SCHEMA) if "additionalProperties" not in schema]
    assert open_ones == []
    # Names chosen by the author of a configuration are the only free keys.
    free = {place for place, schema in objects(SCHEMA) if isinstance(schema["additionalProperties"], dict)}
    assert free == {
        ".averages",
        ".collections",
        ".backbones",
        ".rerankers",
        ".encoders",
        ".trained_baselines",
        ".variants",
    }


def test_every_key_is_described_and_has_a_default_or_is_required() -> None:
    for place, schema in objects(SCHEMA):
        for key, inner in schema.get("properties", {}).items():
            leaf = resolved(inner)
            assert leaf.get("description"), f"{place}.{key} is not described"
            optional = key not in schema.get("required", []) and leaf.get("type") != "object"
            assert not optional or "default" in leaf, f"{place}.{key} has no default"


def defaults(schema: dict[str, Any]) -> Any:
    schema = resolved(schema)
    if schema.get("type") == "object":
        return {key: defaults(inner) for key, inner in schema["properties"].items()}
    return schema["default"]


def edited(tmp_path: Path, **changes: Any) -> Path:
    """A copy of mini.yaml with values set at dotted places."""
    config = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
    for place, value in changes.items():
        *parents, key = place.split("__")
        part = config
        for parent in parents:
            part = part.setdefault(parent.replace("_", "-") if parent.startswith("no_") else parent, {})
        part[key] = value
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def check(path: Path) -> None:
    """What the Snakefile does before anything else."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    complete(config, [path], SCHEMA)
    check_places(config, str(path.parent))


SYNTHETIC = {"source": "synthetic", "synthetic": {"kind": "in-domain", "seed": 1}}
REALTEXT = {"source": "realtext", "tokenizer": "none", "realtext": {"planted": [{"layer": 2, "head": 0}]}}


@pytest.mark.parametrize(
    ("change", "named", "hint"),
    [
        ({"trainon": []}, "trainon: unknown key", "'train_on'"),
        ({"headrank__selection__entropy_wieght": 1}, "headrank.selection.entropy_wieght: unknown", "'entropy_weight'"),
        ({"headrank__prompt__trunctae_words": 9}, "headrank.prompt.trunctae_words: unknown key", "'truncate_words'"),
        ({"variants__fast": {"trainig": {}}}, "variants.fast.trainig: unknown key", "'training'"),
        ({"collections__training__sourec": "x"}, "collections.training.sourec: unknown key", "'source'"),
        ({"backbones__small__planted__layrs": 3}, "backbones.small.planted.layrs: unknown key", "'layers'"),
        ({"threads": "many"}, "threads: 'many' is not of type 'integer'", ""),
        ({"headrank__loss__form": "dop"}, "headrank.loss.form: 'dop' is not one of", "'dpo'"),
        ({"train_on": ["trainin"]}, "train_on: 'trainin' is not among the collections", "'training'"),
        ({"ablation__backbone": "smal"}, "ablation.backbone: 'smal' is not among the backbones", "'small'"),
        ({"ablation__variants": ["random-pair"]}, "ablation.variants: 'random-pair' is not among", "'random-pairs'"),
        ({"methods": ["icr"]}, "methods: ", "headrank-untrained"),
        (
            {"methods": ["icr", "headrank-untrained"], "evaluation__baseline": "core"},
            "evaluation.baseline: 'core' is not among the methods", "",
        ),
        ({"train_on": []}, "train_on: names no collections, but selective-icr chooses heads", ""),
        (
            {"train_on": [], "methods": ["icr", "qrhead"], "trained_baselines": {}, "variants": {}, "ablation": {}},
            "train_on: names no collections, but qrhead", "",
        ),
        (
            {"methods": ["icr"], "trained_baselines": {}, "variants": {}, "ablation": {}, "clock": {},
             "evaluation__baseline": "icr", "generative": {}},
            "evaluation.baseline: 'icr' is the only method", "bm25",
        ),
        ({"variants__icr": {}}, "variants.icr: the name belongs to a method", ""),
        ({"variants__first": {}}, "variants.first: the name belongs to a method", ""),
        ({"variants": {"headrank-seed-1": {}}, "seeds": [1], "ablation": {}},
         "variants.headrank-seed-1: the name belongs to one of seeds", ""),
        ({"trained_baselines": {"headrank-seed-12": {}}, "seeds": [3, 12], "clock": {}},
         "trained_baselines.headrank-seed-12: the name belongs to one of seeds", ""),
        ({"variants__qrranker": {}}, "variants.qrranker: there is a trained baseline of this name", ""),
        ({"trained_baselines__x": {"heads": "cor"}}, "trained_baselines.x.heads: 'cor' is not one of", "'core'"),
        ({"generative__methods": ["rankgtp"]}, "generative.methods.0: 'rankgtp' is not one of", "'rankgpt'"),
        ({"generative__windw": 9}, "generative.windw: unknown key", "'window'"),
        ({"generative__stride": 30}, "generative.stride: 30 is more than the window of 20", ""),
        ({"generative__window": 27}, "generative.window: FIRST has letters for 26 passages", ""),
        ({"rerankers__r": {"source": "local", "path": "none"}}, "rerankers.r.path: no ", "none/config.json; set"),
        ({"backbones__small__reranker": "r"}, "backbones.small.reranker: 'r' is not among the rerankers", ""),
        ({"ablation__queries": ["random-pairs"]}, "ablation.queries: 'random-pairs' does not say", "training.queries"),
        ({"headrank__pairs__middle_zone": [15, 6]}, "headrank.pairs.middle_zone: [15, 6] is no range", ""),
        ({"evaluation__metrics": ["rr", "ndgc@10"]}, "evaluation.metrics: 'ndgc@10' is unknown; known: ", "ndcg@K"),
        ({"evaluation__metrics": [{"name": "rr", "relevance_level": 0}]}, "evaluation.metrics.0.relevance_level:", "0"),
        ({"evaluation__metrics": [{"name": "rr", "level": 2}]}, "evaluation.metrics.0.level: unknown key", ""),
        ({"evaluation__metrics": ["map", "map"]}, "evaluation.metrics: 'map' is given twice", ""),
        ({"evaluation__metrics": []}, "evaluation.metrics: [] should be non-empty", ""),
        ({"evaluation__cutoff": 10}, "evaluation.cutoff: unknown key", ""),
        ({"averages": {"two": ["in-domain", "training"]}}, "averages.two: 'training' is not among the benchmarks", ""),
        ({"averages": {"two": ["in-domian"]}}, "averages.two: 'in-domian' is not among the benchmarks", "'in-domain'"),
        ({"averages": {"mean": ["in-domain"]}}, "averages.mean: the name belongs to another column", ""),
        ({"averages": {"in-domain": ["in-domain"]}}, "averages.in-domain: the name belongs to another column", ""),
        ({"averages": {"none": []}}, "averages.none: [] should be non-empty", ""),
        ({"collections__mean": SYNTHETIC, "panel": ["mean"]}, "panel: 'mean' is the name", ""),
        ({"collections__training": {**SYNTHETIC, "run": "no.trec"}}, "collections.training.run: no", "no.trec; set"),
        ({"backbones__small__panel": ["in-domian"]}, "backbones.small.panel: 'in-domian' is not among", "'in-domain'"),
        ({"baselines_panel": ["in-domian"]}, "baselines_panel: 'in-domian' is not among the benchmarks", "'in-domain'"),
        (
            {"backbones__small__trained_baselines": ["qrrankr"]},
            "backbones.small.trained_baselines: 'qrrankr' is not among the trained baselines", "'qrranker'",
        ),
        ({"headrank__lists__spread": 39}, "headrank.lists.spread: 39 would make lists of fewer than 2", ""),
        (
            {"backbones__small__panel": ["in-domain"], "backbones__large__panel": ["long-middle"]},
            "backbones: no benchmark is in the panel of every backbone", "",
        ),
        ({"generative__whole": ["training"]}, "generative.whole: 'training' is not among the benchmarks", ""),
        ({"clock__average": "dl"}, "clock.average: 'dl' is not among the averages", ""),
        ({"clock__benchmark": "dl"}, "clock.benchmark: 'dl' is not among the benchmarks", ""),
        ({"clock__leave_out": ["icrr"]}, "clock.leave_out: 'icrr' is not among the methods", "'icr'"),
        ({"injection__benchmark": "dl"}, "injection.benchmark: 'dl' is not among the benchmarks", ""),
        ({"injection__leave_out": ["icrr"]}, "injection.leave_out: 'icrr' is not among the methods", "'icr'"),
        ({"backbones__small": REALTEXT}, "backbones.small.tokenizer: no ", "none/tokenizer.json; set the key data"),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_one_line_that_names_the_key(
    tmp_path: Path, change: dict[str, Any], named: str, hint: str
) -> None:
    with pytest.raises(InputError) as told:
        check(edited(tmp_path, **change))
    assert str(told.value).startswith(named)
    assert hint in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "change", [{"trainon": []}, {"methods": ["icr"]}, {"rerankers__r": {"source": "local", "path": "none"}}]
)
def test_snakemake_ends_with_that_line(tmp_path: Path, change: dict[str, Any]) -> None:
    """One of each kind: a key, a name, a place."""
    done = snakemake("-n", "--configfile", edited(tmp_path, **change), directory=tmp_path)
    assert done.code != 0
    assert len(done.errors) == 1, done.err
    assert done.errors[0].startswith("error: edited.yaml: ")
    assert "Traceback" not in done.err
    assert 'File "' not in done.err


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(configuration("mini").read_text(encoding="utf-8") + "seed: 4\n", encoding="utf-8")
    done = snakemake("-n", "--configfile", path, directory=tmp_path)
    assert done.code != 0
    assert "seed: given twice, at line" in done.errors[0]


def test_a_missing_data_directory_is_named_before_anything_runs(tmp_path: Path) -> None:
    done = snakemake(
        "-n", "--configfile", configuration("real-text"), HEADRANK_DATA=str(tmp_path / "nowhere")
    )
    assert done.code != 0
    assert len(done.errors) == 1
    assert "collections.dl21.path" in done.errors[0]
    assert "HEADRANK_DATA" in done.errors[0]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_configuration_repeats_a_default_of_the_method(name: str) -> None:
    """What a configuration says about the method is what differs; the rest is in one place, the schema."""
    config = yaml.safe_load(configuration(name).read_text(encoding="utf-8"))
    known = defaults(SCHEMA["properties"]["headrank"])
    for section, values in config.get("headrank", {}).items():
        for key, value in values.items() if isinstance(values, dict) else ():
            assert value != known[section][key], f"{name}.yaml: headrank.{section}.{key} is the default"


def test_the_readme_lists_every_key_as_the_schema_has_it() -> None:
    path = REPOSITORY / "workflow" / "schemas" / "document.py"
    spec = importlib.util.spec_from_file_location("document", path)
    assert spec is not None
    assert spec.loader is not None
    document = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(document)
    text = (REPOSITORY / "config" / "README.md").read_text(encoding="utf-8")
    assert document.documented(text) == text, "run `make keys`"
    for key in ("`collections.NAME.published.ndcg`", "`headrank.training.checkpoint_every`", "`shards`"):
        assert f"| {key} |" in text
