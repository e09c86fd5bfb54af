"""A study's configuration: checked, file and values, against the schema, with its defaults filled in.

Every fault is an ``InputError`` of one line that names the key and, if it can be guessed, the right word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

from headrank.errors import NotFoundError, UsageError, shown, shown_key, suggestion
from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.specs import is_number
from headrank.workflow.head_counts import faults_of_head_counts
from headrank.workflow.names import faults_of_names
from headrank.workflow.places import faults_of_places
from headrank.workflow.yaml_files import DEPTH, MOST_VALUES, TOO_MUCH, check_file

Config = dict[str, Any]
# The baseline of a study that names none: the first of these that it has.
BASELINES = ("core", FIRST_STAGE)
Schema = Mapping[str, Any]
# Of a message; jsonschema's repeat the whole value.
LONGEST = 400


def complete(config: Config, files: Sequence[str | Path], schema: Schema) -> None:
    """Check a configuration that was read from ``files`` and fill in its defaults, in place.

    Benchmarks that no backbone ranks are left out, here and so in every job, table and figure.
    """
    for file in files:
        check_file(file)
    _check_values(config)
    _check_keys(config, schema)
    _fill_defaults(schema, config, schema["$defs"])
    if config["evaluation"]["baseline"] is None:
        config["evaluation"]["baseline"] = next(
            name for name in BASELINES if name in [FIRST_STAGE, *config["methods"]]
        )
    for fault in faults_of_names(config):
        raise UsageError(fault)
    _leave_out_unranked(config)


def check_places(config: Mapping[str, Any], data: str) -> None:
    """Raise InputError if local files are not where they should be, or more heads are asked for than a model has.

    data: the folder that local files are in.
    """
    for fault in faults_of_places(config, data):
        raise NotFoundError(fault)
    for fault in faults_of_head_counts(config, data):
        raise UsageError(fault)


def _leave_out_unranked(config: Config) -> None:
    """Keep the benchmarks that some backbone ranks, and the averages that some backbone has as a whole."""
    panel, specs = config["panel"], config["backbones"].values()
    ranked = [{*(spec["panel"] or panel)} for spec in specs]
    config["panel"] = [name for name in panel if name in set.union(*ranked)]
    averages = config["averages"].items()
    config["averages"] = {name: own for name, own in averages if any(one.issuperset(own) for one in ranked)}


def _check_values(config: Config) -> None:
    """Refuse what no file is needed for: keys that are no text, numbers that are not finite, endless mappings."""
    todo: list[tuple[tuple[str, ...], Any]] = [((), config)]
    for _ in range(MOST_VALUES):
        if not todo:
            return
        place, value = todo.pop()
        if len(place) > DEPTH:
            break
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise UsageError(f"{_joined(*place, key)}: the key is no text; write it in quotes")
            todo += [((*place, key), inner) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            todo += [((*place, str(number)), inner) for number, inner in enumerate(value)]
        elif isinstance(value, int | float) and not isinstance(value, bool) and not is_number(value):
            raise UsageError(f"{_joined(*place)}: expected a finite number, got {shown(value)}")
    raise UsageError(f"configuration: {TOO_MUCH}")


def _joined(*place: object) -> str:
    """A place in the configuration: its keys, joined by dots."""
    return ".".join(map(shown_key, place))


def _pattern(validator: Any, pattern: str, value: Any, _: Schema) -> Iterator[jsonschema.ValidationError]:
    """JSON Schema's ``$`` is the end of the text; Python's also matches before a line break there."""
    whole = re.sub(r"\$$", r"\\Z", pattern)
    if validator.is_type(value, "string") and not re.search(whole, value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


def _is_integer(_: Any, value: Any) -> bool:
    """JSON Schema's own integers include 2.0, which ``range`` does not take."""
    return isinstance(value, int) and not isinstance(value, bool)


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def _check_keys(config: Config, schema: Schema) -> None:
    """Refuse what the schema does not allow; of several faults, an unknown key is named, or else the first."""
    errors = list(_Validator(schema).iter_errors(config))
    unknown = [error for error in errors if error.validator == "additionalProperties"]
    for error in [*unknown, *errors]:
        place = [str(step) for step in error.absolute_path]
        if error in unknown:
            known = error.schema["properties"]
            key = next(key for key in error.instance if key not in known)
            raise UsageError(f"{_joined(*place, key)}: unknown key; {suggestion(key, known)}")
        reason = " ".join(error.message.split())
        reason = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
        raise UsageError(f"{_joined(*place) or 'configuration'}: {reason}")


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
