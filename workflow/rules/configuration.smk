"""Loads the configuration, checks it against the schema and fills in its defaults.

A faulty configuration ends here, in one line that names the key.
"""

import difflib
import os
import shlex
import sys

import jsonschema
import yaml

# Snakemake puts the interpreter's path into a shell command as it is, blanks and all.
sys.executable = shlex.quote(sys.executable)

CONFIGFILES = [str(path) for path in workflow.overwrite_configfiles] or ["config/config.yaml"]


def load_schema():
    with open(workflow.source_path("../schemas/config.schema.yaml"), encoding="utf-8") as stream:
        return yaml.safe_load(stream)


def refuse(message):
    """End with one line; an exception would bring Snakemake's traceback with it."""
    sys.exit(f"error: {', '.join(map(os.path.relpath, CONFIGFILES))}: {message}")


def check_repeated(node, place=""):
    """Refuse a key that stands twice in one mapping: YAML would silently take the last."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if sum(other.value == key.value for other, _ in node.value) > 1:
            refuse(f"{place}{key.value}: given twice, at line {key.start_mark.line + 1}; keep one")
        check_repeated(value, f"{place}{key.value}.")


def check_files():
    for path in CONFIGFILES:
        with open(path, encoding="utf-8") as stream:
            check_repeated(yaml.compose(stream))


def near(name, known):
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"


def check_keys(schema):
    """Refuse what the schema does not allow; of several faults an unknown key, or else the first, is named."""
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(config))
    unknown = [error for error in errors if error.validator == "additionalProperties"]
    for error in [*unknown, *errors]:
        place = [str(step) for step in error.absolute_path]
        if error in unknown:
            known = error.schema["properties"]
            key = next(key for key in error.instance if key not in known)
            refuse(f"{'.'.join([*place, key])}: unknown key; {near(key, known)}")
        refuse(f"{'.'.join(place) or 'configuration'}: {' '.join(error.message.split())}")


def resolved(schema, definitions):
    """The schema itself, or the definition that it refers to."""
    return definitions[schema["$ref"].removeprefix("#/$defs/")] if "$ref" in schema else schema


def fill_defaults(schema, part, definitions):
    """Put the schema's defaults in place of keys left out, where it does not say that none are filled in."""
    if schema.get("type") != "object" or "no defaults" in schema.get("$comment", ""):
        return
    for key, inner in schema.get("properties", {}).items():
        inner = {**resolved(inner, definitions), **inner}
        if "default" in inner:
            part.setdefault(key, inner["default"])
        elif inner.get("type") == "object" and "no defaults" not in inner.get("$comment", ""):
            part.setdefault(key, {})
        if key in part:
            fill_defaults(inner, part[key], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        for value in part.values():
            fill_defaults(resolved(schema["additionalProperties"], definitions), value, definitions)


def check_names(schema):
    """Refuse names that nothing defines."""
    uses = [("train_on", config["train_on"], "collections")]
    uses.append(("detect_on", config["detect_on"], "collections"))
    uses.append(("panel", config["panel"], "collections"))
    if config["clock"]["average"] is not None:
        uses.append(("clock.average", [config["clock"]["average"]], "averages"))
    if config["clock"]["benchmark"] is not None:
        uses.append(("clock.benchmark", [config["clock"]["benchmark"]], "panel"))
    uses.append(("generative.whole", config["generative"]["whole"], "panel"))
    uses += [
        (f"backbones.{b}.panel", spec["panel"] or [], "panel") for b, spec in config["backbones"].items()
    ]
    uses.append(("baselines_panel", config["baselines_panel"] or [], "panel"))
    uses += [
        (f"backbones.{b}.trained_baselines", spec["trained_baselines"] or [], "trained_baselines")
        for b, spec in config["backbones"].items()
    ]
    uses.append(("ablation.variants", config["ablation"]["variants"], "variants"))
    uses.append(("ablation.queries", config["ablation"]["queries"], "variants"))
    if config["ablation"]["backbone"] is not None:
        uses.append(("ablation.backbone", [config["ablation"]["backbone"]], "backbones"))
    for key, names, where in uses:
        for name in names:
            if name not in config[where]:
                what = {"panel": "benchmarks of the panel"}.get(where, where.replace("_", " "))
                refuse(f"{key}: {name!r} is not among the {what}; {near(name, config[where])}")
    methods = ["bm25", "headrank", *schema["properties"]["methods"]["items"]["enum"]]
    methods += schema["properties"]["generative"]["properties"]["methods"]["items"]["enum"]
    for name in config["clock"]["leave_out"]:
        if name not in methods:
            refuse(f"clock.leave_out: {name!r} is not among the methods; {near(name, methods)}")
    if "headrank-untrained" not in config["methods"]:
        refuse("methods: 'headrank-untrained' is missing, with which training is compared; add it")
    for name in config["methods"]:
        if name.endswith("-own") and not config["detect_on"]:
            refuse(f"methods: {name!r} needs collections to detect its heads on; set detect_on")
    for name, spec in config["backbones"].items():
        if spec["reranker"] and spec["reranker"] not in config["rerankers"]:
            refuse(
                f"backbones.{name}.reranker: {spec['reranker']!r} is not among the rerankers;"
                f" {near(spec['reranker'], config['rerankers'])}"
            )
    for section, other in (("rerankers", "backbones"), ("encoders", "backbones"), ("encoders", "rerankers")):
        for name in {*config[section]} & {*config[other]}:
            refuse(f"{section}.{name}: the section {other} has a model of this name; choose another")
    check_first_stage()
    if config["evaluation"]["baseline"] not in ["bm25", *config["methods"]]:
        refuse(
            f"evaluation.baseline: {config['evaluation']['baseline']!r} is not among the methods of this study"
        )
    for section in ("variants", "trained_baselines"):
        for name in config[section]:
            if name in methods:
                refuse(f"{section}.{name}: the name belongs to a method; choose another")
    for name in config["variants"]:
        if name in config["trained_baselines"]:
            refuse(f"variants.{name}: there is a trained baseline of this name; choose another")
    if config["headrank"]["training"]["seed"] in config["seeds"]:
        refuse(
            f"seeds: {config['headrank']['training']['seed']} is HeadRank's own, headrank.training.seed; drop it"
        )
    if "mean" in config["panel"]:
        refuse("panel: 'mean' is the name of the tables' last column; choose another")
    for name, members in config["averages"].items():
        if name == "mean" or name in config["panel"]:
            refuse(f"averages.{name}: the name belongs to another column of the tables; choose another")
        for member in members:
            if member not in config["panel"]:
                refuse(
                    f"averages.{name}: {member!r} is not among the benchmarks; {near(member, config['panel'])}"
                )
    shared = [
        d for d in config["panel"] if all(d in (b["panel"] or [d]) for b in config["backbones"].values())
    ]
    if not shared:
        refuse("backbones: no benchmark is in the panel of every backbone; give them one to be compared on")
    for name in config["ablation"]["queries"]:
        if not config["variants"][name].get("training", {}).get("queries"):
            refuse(
                f"ablation.queries: {name!r} does not say on how many; set variants.{name}.training.queries"
            )
    places = [("headrank", config["headrank"])]
    places += [
        (f"backbones.{name}.headrank", spec.get("headrank", {})) for name, spec in config["backbones"].items()
    ]
    for section in ("variants", "trained_baselines"):
        places += [(f"{section}.{name}", over) for name, over in config[section].items()]
    for place, part in places:
        first, last = part.get("pairs", {}).get("middle_zone", (1, 1))
        if not 1 <= first <= last:
            refuse(f"{place}.pairs.middle_zone: [{first}, {last}] is no range of positions from 1")
        lists = {**config["headrank"]["lists"], **part.get("lists", {})}
        if lists["size"] - lists["spread"] < 2:
            refuse(
                f"{place}.lists.spread: {lists['spread']} would make lists of fewer than 2 of {lists['size']} passages"
            )
    window, stride = config["generative"]["window"], config["generative"]["stride"]
    if stride > window:
        refuse(
            f"generative.stride: {stride} is more than the window of {window}: candidates would be left out"
        )
    if "first" in config["generative"]["methods"] and window > 26:
        refuse(f"generative.window: FIRST has letters for 26 passages, not for {window}")


def check_first_stage():
    """Refuse candidates that cannot come from where the configuration says."""
    stage = config["first_stage"]
    methods = {name: spec["first_stage"] or stage["method"] for name, spec in config["collections"].items()}
    if stage["encoder"] is not None and stage["encoder"] not in config["encoders"]:
        refuse(
            f"first_stage.encoder: {stage['encoder']!r} is not among the encoders; "
            f"{near(stage['encoder'], config['encoders'])}"
        )
    for name, spec in config["collections"].items():
        place = f"collections.{name}"
        if spec["run"]:
            continue
        if methods[name] == "dense" and stage["encoder"] is None:
            refuse(f"{place}: a dense first stage needs first_stage.encoder")
        if methods[name] == "official" and spec["source"] != "ir_datasets":
            refuse(f"{place}.first_stage: only ir_datasets has official candidates; name a run with run:")
        other = spec["corpus"]
        if other is None:
            continue
        if other not in config["collections"]:
            refuse(
                f"{place}.corpus: {other!r} is not among the collections; {near(other, config['collections'])}"
            )
        whose = config["collections"][other]
        if other == name or whose["corpus"] is not None:
            refuse(f"{place}.corpus: {other!r} has no index of its own; name the collection that has one")
        if (methods[name], spec["source"], spec["path"]) != (methods[other], whose["source"], whose["path"]):
            refuse(
                f"{place}.corpus: {other!r} has another source, path or first stage; they cannot share an index"
            )
        if spec["source"] == "synthetic":
            refuse(f"{place}.corpus: synthetic collections have documents of their own; leave it out")


def check_places(data):
    """Refuse local collections, models, runs and tokenizers that are not where they should be, before anything runs."""
    remedy = "set the key data or the environment variable HEADRANK_DATA"
    places = [("collections", "queries.jsonl")]
    places += [(section, "config.json") for section in ("backbones", "rerankers", "encoders")]
    for section, needed in places:
        for name, spec in config[section].items():
            place = os.path.join(data, spec["path"], needed)
            if spec["source"] == "local" and not any(map(os.path.exists, (place, f"{place}.gz"))):
                refuse(f"{section}.{name}.path: no {place}; {remedy}")
    for section, key, needed in (("collections", "run", ""), ("backbones", "tokenizer", "tokenizer.json")):
        for name, spec in config[section].items():
            place = os.path.join(data, spec["path"] if key == "run" else "", spec[key] or "", needed)
            if spec[key] and not os.path.exists(place.rstrip("/")):
                refuse(f"{section}.{name}.{key}: no {place.rstrip('/')}; {remedy}")
