"""Names in a configuration that nothing defines, that two things share, or that contradict each other.

Every function yields faults, each one line that begins with the key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrank.errors import InputError, suggestion
from headrank.evaluation.metrics import read_metrics
from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.methods.entries.headrank import TRAINED, UNTRAINED
from headrank.methods.entry import Trained
from headrank.methods.table import FROZEN, METHODS

Config = Mapping[str, Any]
# Letters that FIRST's prompt has for the passages of a window.
LETTERS = 26


def faults_of_names(config: Config) -> Iterator[str]:
    """All faults of a configuration whose keys and types are right and whose defaults are filled in."""
    yield from _undefined(config)
    yield from _methods(config)
    yield from _models(config)
    yield from _first_stage(config)
    yield from _variants(config)
    yield from _columns(config)
    yield from _unranked(config)
    yield from _metrics(config)
    yield from _overridden(config)
    yield from _windows(config)


def _undefined(config: Config) -> Iterator[str]:
    """Names that the part of the configuration to which they refer does not have."""
    backbones = config["backbones"]
    uses = [("train_on", config["train_on"], "collections")]
    uses += [("detect_on", config["detect_on"], "collections"), ("panel", config["panel"], "collections")]
    uses += [
        (f"{section}.{key}", [config[section][key]], where)
        for section, key, where in _CHOSEN
        if config[section][key]
    ]
    uses.append(("generative.whole", config["generative"]["whole"], "panel"))
    uses += [(f"backbones.{b}.panel", spec["panel"] or [], "panel") for b, spec in backbones.items()]
    uses.append(("baselines_panel", config["baselines_panel"] or [], "panel"))
    uses += [
        (f"backbones.{b}.trained_baselines", spec["trained_baselines"] or [], "trained_baselines")
        for b, spec in backbones.items()
    ]
    uses += [(f"ablation.{key}", config["ablation"][key], "variants") for key in ("variants", "queries")]
    if config["ablation"]["backbone"] is not None:
        uses.append(("ablation.backbone", [config["ablation"]["backbone"]], "backbones"))
    for key, names, where in uses:
        for name in names:
            if name not in config[where]:
                what = {"panel": "benchmarks of the panel"}.get(where, where.replace("_", " "))
                yield f"{key}: {name!r} is not among the {what}; {suggestion(name, config[where])}"


# Of the marks beside a backbone's curve over depths (rule depth).
_MARKS = "-marks"
# Keys that name one of something, or nothing.
_CHOSEN = (
    ("clock", "average", "averages"),
    ("clock", "benchmark", "panel"),
    ("injection", "benchmark", "panel"),
)


# Stems of files beside rankings and head sets that are no method's: RouteHead's routes, and what a rule without any
# method would write (``headrank.workflow.rankings``, rule detect).
_FILES = ("routes", "none")
# Each study chooses its own names for trained methods other than HeadRank.
_KNOWN = [name for name, entry in METHODS.items() if name == TRAINED or not isinstance(entry, Trained)]


def _methods(config: Config) -> Iterator[str]:
    left_out = [
        (section, name) for section in ("clock", "injection") for name in config[section]["leave_out"]
    ]
    for section, name in left_out:
        if name not in _KNOWN:
            yield f"{section}.leave_out: {name!r} is not among the methods; {suggestion(name, _KNOWN)}"
    trained = [key for key in ("trained_baselines", "variants", "seeds") if config[key]]
    if UNTRAINED not in config["methods"] and trained:
        yield f"methods: {UNTRAINED!r} is missing, but training is compared with it; add it, or drop {trained[0]}"
    choosing = [name for name in config["methods"] if FROZEN[name].head_set or FROZEN[name].routed]
    if choosing and not config["train_on"]:
        yield f"train_on: names no collections, but {choosing[0]} chooses heads on them; name some, or drop the method"
    for name in config["methods"]:
        if FROZEN[name].pool == "detection" and not config["detect_on"]:
            yield f"methods: {name!r} needs collections to detect its heads on; set detect_on"


def _models(config: Config) -> Iterator[str]:
    rerankers = config["rerankers"]
    for name, spec in config["backbones"].items():
        if spec["reranker"] and spec["reranker"] not in rerankers:
            yield (
                f"backbones.{name}.reranker: {spec['reranker']!r} is not among the rerankers;"
                f" {suggestion(spec['reranker'], rerankers)}"
            )
    for name in config["backbones"]:
        if name.endswith(_MARKS) and name.removesuffix(_MARKS) in config["backbones"]:
            yield f"backbones.{name}: the name belongs to a file of {name.removesuffix(_MARKS)}; choose another"
    for section, other in (("rerankers", "backbones"), ("encoders", "backbones"), ("encoders", "rerankers")):
        for name in {*config[section]} & {*config[other]}:
            yield f"{section}.{name}: the section {other} has a model of this name; choose another"


def _first_stage(config: Config) -> Iterator[str]:
    """First stages that cannot give the candidates that the configuration asks of them."""
    stage, encoders = config["first_stage"], config["encoders"]
    if stage["encoder"] is not None and stage["encoder"] not in encoders:
        yield (
            f"first_stage.encoder: {stage['encoder']!r} is not among the encoders;"
            f" {suggestion(stage['encoder'], encoders)}"
        )
    collections = config["collections"]
    methods = {name: spec["first_stage"] or stage["method"] for name, spec in collections.items()}
    for name, spec in collections.items():
        if spec["run"]:
            continue
        place = f"collections.{name}"
        if spec["order_by"]:
            yield f"{place}.order_by: says what orders a given run; name one with run:, or leave it out"
        if methods[name] == "dense" and stage["encoder"] is None:
            yield f"{place}: a dense first stage needs first_stage.encoder"
        if methods[name] == "official" and spec["source"] != "ir_datasets":
            yield f"{place}.first_stage: only ir_datasets has official candidates; name a run with run:"
        other = spec["corpus"]
        if other is None:
            continue
        if other not in collections:
            yield f"{place}.corpus: {other!r} is not among the collections; {suggestion(other, collections)}"
            continue
        whose = collections[other]
        if other == name or whose["corpus"] is not None:
            yield f"{place}.corpus: {other!r} has no index of its own; name the collection that has one"
        if (methods[name], spec["source"], spec["path"]) != (methods[other], whose["source"], whose["path"]):
            yield f"{place}.corpus: {other!r} has another source, path or first stage; they cannot share an index"
        if spec["source"] == "synthetic":
            yield f"{place}.corpus: synthetic collections have documents of their own; leave it out"


def _variants(config: Config) -> Iterator[str]:
    baseline = config["evaluation"]["baseline"]
    if baseline not in [FIRST_STAGE, *config["methods"]]:
        yield f"evaluation.baseline: {baseline!r} is not among the methods of this study"
    if [baseline] == config["methods"] and not config["generative"]["methods"]:
        yield f"evaluation.baseline: {baseline!r} is the only method; compare it with {FIRST_STAGE}"
    seeded = {f"{TRAINED}-seed-{seed}" for seed in config["seeds"]}
    for section in ("variants", "trained_baselines"):
        for name in config[section]:
            if name in _KNOWN:
                yield f"{section}.{name}: the name belongs to a method; choose another"
            if name in _FILES:
                yield f"{section}.{name}: a file next to the method's has this name; choose another"
            if name in seeded:
                yield f"{section}.{name}: the name belongs to one of seeds; choose another, or drop the seed"
    for name in config["variants"]:
        if name in config["trained_baselines"]:
            yield f"variants.{name}: there is a trained baseline of this name; choose another"
    own = config["headrank"]["training"]["seed"]
    if own in config["seeds"]:
        yield f"seeds: {own} is HeadRank's own, headrank.training.seed; drop it"
    for name in config["ablation"]["queries"]:
        if not config["variants"][name].get("training", {}).get("queries"):
            yield f"ablation.queries: {name!r} does not say how many it uses; set variants.{name}.training.queries"


def _columns(config: Config) -> Iterator[str]:
    """Benchmarks and averages are the columns of tables."""
    panel = config["panel"]
    if "mean" in panel:
        yield "panel: 'mean' is the name of the tables' last column; choose another"
    for name, members in config["averages"].items():
        if name == "mean" or name in panel:
            yield f"averages.{name}: the name belongs to another column of the tables; choose another"
        for member in members:
            if member not in panel:
                yield f"averages.{name}: {member!r} is not among the benchmarks; {suggestion(member, panel)}"
    chosen = [spec["panel"] or panel for spec in config["backbones"].values()]
    if not any(all(benchmark in own for own in chosen) for benchmark in panel):
        yield "backbones: no benchmark is in the panel of every backbone; give them one to be compared on"


def _unranked(config: Config) -> Iterator[str]:
    """Benchmarks that are asked for by name although no backbone ranks them."""
    ranked = {name for spec in config["backbones"].values() for name in spec["panel"] or config["panel"]}
    for section, key in (("clock", "benchmark"), ("injection", "benchmark")):
        name = config[section][key]
        if name is not None and name not in ranked:
            yield f"{section}.{key}: {name!r} is in the panel of no backbone; choose another"


def _metrics(config: Config) -> Iterator[str]:
    try:
        read_metrics(config["evaluation"]["metrics"], "evaluation.metrics")
    except InputError as fault:
        yield str(fault)


def _overridden(config: Config) -> Iterator[str]:
    """Values of ``headrank``, and of whatever overrides it, that exclude each other."""
    places = [("headrank", config["headrank"])]
    places += [
        (f"backbones.{name}.headrank", spec.get("headrank", {})) for name, spec in config["backbones"].items()
    ]
    for section in ("variants", "trained_baselines"):
        places += [(f"{section}.{name}", over) for name, over in config[section].items()]
    for place, part in places:
        first, last = part.get("pairs", {}).get("middle_zone", (1, 1))
        if not 1 <= first <= last:
            yield f"{place}.pairs.middle_zone: [{first}, {last}] is no range of positions from 1"
        lists = {**config["headrank"]["lists"], **part.get("lists", {})}
        size, spread = lists["size"], lists["spread"]
        if size - spread < 2:
            yield f"{place}.lists.spread: {spread} would make lists of fewer than 2 of {size} passages"


def _windows(config: Config) -> Iterator[str]:
    window, stride = config["generative"]["window"], config["generative"]["stride"]
    if stride > window:
        yield f"generative.stride: {stride} is more than the window of {window}: candidates would be left out"
    if "first" in config["generative"]["methods"] and window > LETTERS:
        yield f"generative.window: FIRST has letters for {LETTERS} passages, not for {window}"
