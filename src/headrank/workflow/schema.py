"""The schema of a configuration: its file, completed with what the classes of settings say about their own keys.

The file describes every key and defines the study's own in full. Types, choices, bounds and defaults of settings come
from their classes, names of methods and of head criteria from the table of methods, those of metrics from the metrics.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import yaml

from headrank.evaluation.metrics import spellings
from headrank.generative.settings import GenerativeSettings
from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.methods.table import ASKED, CRITERIA, FROZEN
from headrank.planted.specs import BackboneSpec, CollectionSpec, EmbeddingSpec, RealTextSpec
from headrank.settings import Settings
from headrank.specs import Bounds, is_optional

Schema = dict[str, Any]

# Definition of the schema -> the names that it allows.
NAMES: dict[str, Iterable[str | None]] = {
    "frozen_method": FROZEN,
    "asked_method": ASKED,
    "baseline": [FIRST_STAGE, *FROZEN, None],
    "heads": CRITERIA,
}
_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
_KEYWORDS = {"least": "minimum", "above": "exclusiveMinimum", "most": "maximum", "below": "exclusiveMaximum"}


def read_schema(path: str | Path) -> Schema:
    """The schema in a file, completed."""
    schema: Schema = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return completed(schema)


def completed(schema: Schema) -> Schema:
    """A schema that has only descriptions, with everything else filled in, in place."""
    for definition, names in NAMES.items():
        schema["$defs"][definition]["enum"] = [*names]
    schema["$defs"]["metric"]["examples"] = spellings()
    for place, kind in _classes():
        part = _at(schema, place)
        part.update(section(kind, part))
    # The only key outside a section that variants can change too.
    schema["$defs"]["heads"]["default"] = Settings().heads
    return schema


def _at(schema: Schema, place: tuple[str, ...]) -> Schema:
    for key in place:
        schema = schema[key]
    return schema


def _classes() -> Iterator[tuple[tuple[str, ...], type]]:
    """(place in the schema, class) of each class whose keys it has."""
    yield ("properties", "headrank"), Settings
    for name, hint in get_type_hints(Settings).items():
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            yield ("$defs", name), hint
    yield ("properties", "generative"), GenerativeSettings
    yield ("$defs", "synthetic"), CollectionSpec
    yield ("$defs", "planted"), BackboneSpec
    yield ("$defs", "embedding"), EmbeddingSpec
    yield ("$defs", "realtext"), RealTextSpec


def section(kind: type, described: Mapping[str, Any]) -> Schema:
    """The schema of a mapping that ``read_spec`` reads into a class.

    described: what the schema's file has for it: descriptions of the fields, and other keys.
    """
    hints = get_type_hints(kind, include_extras=True)
    properties, required = dict(described["properties"]), []
    for field in dataclasses.fields(kind):
        own = properties.get(field.name, {})
        found = {} if "$ref" in own else _value(hints[field.name], own)
        if field.default is not dataclasses.MISSING and found:
            found["default"] = _plain(field.default)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
        properties[field.name] = {**own, **found}
    closed = {"type": "object", "additionalProperties": False}
    return {**described, **closed, **({"required": required} if required else {}), "properties": properties}


def _value(hint: Any, described: Mapping[str, Any]) -> Schema:
    """What a value of this type may be. described: what the schema's file says about it."""
    parts = get_args(hint)
    if dataclasses.is_dataclass(hint):
        return section(hint, described)  # type: ignore[arg-type]
    if get_origin(hint) is Annotated:
        return {**_value(parts[0], described), **_bounds(parts[1])}
    if get_origin(hint) is Literal:
        return {"enum": list(parts)}
    if is_optional(hint):
        one = _value(parts[0], described)
        return {**one, "type": [one["type"], "null"]}
    if get_origin(hint) is tuple:
        return _array(parts, described)
    return {"type": _TYPES[hint]}


def _array(parts: tuple[Any, ...], described: Mapping[str, Any]) -> Schema:
    items = [_value(part, described.get("items", {})) for part in parts if part is not Ellipsis]
    if Ellipsis in parts:
        return {"type": "array", "items": items[0]}
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _bounds(bounds: Bounds) -> Schema:
    given = {_KEYWORDS[name]: value for name, value in dataclasses.asdict(bounds).items()}
    return {keyword: value for keyword, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
