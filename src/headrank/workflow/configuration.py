"""A study's configuration: checked for repeated keys and against the schema, with its defaults filled in.

Every fault is an ``InputError`` of one line that names the key and, if it can be guessed, the right word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from headrank.errors import InputError, suggestion
from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.workflow.names import faults_of_names
from headrank.workflow.places import faults_of_places

Config = dict[str, Any]
# The baseline of a study that names none: the first of these that it has.
BASELINES = ("core", FIRST_STAGE)
Schema = Mapping[str, Any]


def complete(config: Config, files: Sequence[str | Path], schema: Schema) -> None:
    """Check a configuration that was read from ``files`` and fill in its defaults, in place."""
    for file in files:
        _check_repeated(yaml.compose(Path(file).read_text(encoding="utf-8")))
    _check_keys(config, schema)
    _fill_defaults(schema, config, schema["$defs"])
    if config["evaluation"]["baseline"] is None:
        config["evaluation"]["baseline"] = next(
            name for name in BASELINES if name in [FIRST_STAGE, *config["methods"]]
        )
    for fault in faults_of_names(config):
        raise InputError(fault)


def check_places(config: Mapping[str, Any], data: str) -> None:
    """Raise InputError if local files are not where they should be. data: the folder that they are in."""
    for fault in faults_of_places(config, data):
        raise InputError(fault)


def _check_repeated(node: yaml.Node | None, place: str = "") -> None:
    """Refuse a key that occurs twice in one mapping: YAML would silently take the last."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    for key, value in pairs:
        if sum(other.value == key.value for other, _ in pairs) > 1:
            line = key.start_mark.line + 1
            raise InputError(f"{place}{key.value}: given twice, at line {line}; keep one")
        _check_repeated(value, f"{place}{key.value}.")


def _check_keys(config: Config, schema: Schema) -> None:
    """Refuse what the schema does not allow; of several faults, an unknown key is named, or else the first."""
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(config))
    unknown = [error for error in errors if error.validator == "additionalProperties"]
    for error in [*unknown, *errors]:
        place = [str(step) for step in error.absolute_path]
        if error in unknown:
            known = error.schema["properties"]
            key = next(key for key in error.instance if key not in known)
            raise InputError(f"{'.'.join([*place, key])}: unknown key; {suggestion(key, known)}")
        raise InputError(f"{'.'.join(place) or 'configuration'}: {' '.join(error.message.split())}")


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """The schema itself, or the definition that it refers to."""
    found: Schema = definitions[schema["$ref"].removeprefix("#/$defs/")] if "$ref" in schema else schema
    return found


def _fill_defaults(schema: Schema, part: Config, definitions: Schema) -> None:
    """Fill in the schema's defaults for missing keys, except where the schema says that there are none."""
    if schema.get("type") != "object" or "no defaults" in schema.get("$comment", ""):
        return
    for key, own in schema.get("properties", {}).items():
        inner = {**_resolved(own, definitions), **own}
        if "default" in inner:
            part.setdefault(key, inner["default"])
        elif inner.get("type") == "object" and "no defaults" not in inner.get("$comment", ""):
            part.setdefault(key, {})
        if key in part:
            _fill_defaults(inner, part[key], definitions)
    if isinstance(schema.get("additionalProperties"), Mapping):
        for value in part.values():
            _fill_defaults(_resolved(schema["additionalProperties"], definitions), value, definitions)
