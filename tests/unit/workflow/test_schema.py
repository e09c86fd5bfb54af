"""The schema's sections of settings are made of the classes that read them; its file only describes their keys."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_type_hints

import jsonschema
import pytest
import yaml

from headrank.errors import InputError
from headrank.evaluation.metrics import spellings
from headrank.generative.settings import GenerativeSettings
from headrank.methods.table import ASKED, CRITERIA, FROZEN
from headrank.planted.specs import (
    BackboneSpec,
    CollectionSpec,
    EmbeddingSpec,
    LanguageSpec,
    PlantedHead,
    RealTextSpec,
)
from headrank.settings import Settings
from headrank.specs import Count, Positive, ProperShare, Share, read_spec
from headrank.workflow.schema import completed, read_schema, section

FILE = Path(__file__).resolve().parents[3] / "workflow" / "schemas" / "config.schema.yaml"
SCHEMA = read_schema(FILE)


@dataclass(frozen=True)
class Inner:
    share: Share = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    form: Literal["a", "b"] = "a"
    on: bool = True
    k: Count = 8
    rate: ProperShare = 0.0
    limit: Positive | None = None
    zone: tuple[Count, Count] = (1, 2)
    many: tuple[Positive, ...] = (0.1,)
    inner: Inner = field(default_factory=Inner)


def test_a_section_says_what_its_class_says() -> None:
    described = {
        "description": "All.",
        "properties": {
            "name": {"description": "Its name.", "enum": ["x", "y"]},
            "many": {"description": "Some.", "minItems": 1},
            "inner": {"description": "Nested.", "properties": {"share": {"description": "A part."}}},
            "own": {"type": "integer", "description": "Not of the class."},
        },
    }
    share = {"description": "A part.", "type": "number", "minimum": 0, "maximum": 1, "default": 0.5}
    above = {"type": "number", "exclusiveMinimum": 0}
    count = {"type": "integer", "minimum": 1}
    found = section(Outer, described)
    assert found == {
        "description": "All.",
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {
            "name": {"description": "Its name.", "enum": ["x", "y"], "type": "string"},
            "form": {"enum": ["a", "b"], "default": "a"},
            "on": {"type": "boolean", "default": True},
            "k": {**count, "default": 8},
            "rate": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.0},
            "limit": {**above, "type": ["number", "null"], "default": None},
            "zone": {
                "type": "array",
                "prefixItems": [count, count],
                "minItems": 2,
                "maxItems": 2,
                "default": [1, 2],
            },
            "many": {
                "description": "Some.",
                "type": "array",
                "items": above,
                "minItems": 1,
                "default": [0.1],
            },
            "inner": {
                "description": "Nested.",
                "type": "object",
                "additionalProperties": False,
                "properties": {"share": share},
            },
            "own": {"type": "integer", "description": "Not of the class."},
        },
    }
    # What is described stays first and in its order.
    assert list(found["properties"])[:4] == ["name", "many", "inner", "own"]


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("form", "b", "c"),
        ("on", False, 1),
        ("k", 1, 0),
        ("k", 2, "2"),
        ("rate", 0, 1),
        ("rate", 0.99, -0.1),
        ("limit", None, 0),
        ("limit", 1, "1"),
        ("zone", [1, 1], [0, 1]),
        ("zone", [3, 4], [3]),
        ("many", [1, 2, 3], [1, 0]),
        ("inner", {"share": 1}, {"share": 2}),
        ("inner", {}, {"shre": 1}),
    ],
)
def test_the_schema_and_the_reader_allow_the_same(key: str, right: Any, wrong: Any) -> None:
    described = {"properties": {"name": {}, "inner": {"properties": {}}}}
    checker = jsonschema.Draft202012Validator(section(Outer, described))
    read_spec(Outer, {"name": "n", key: right}, "outer")
    assert checker.is_valid({"name": "n", key: right})
    with pytest.raises(InputError, match=rf"^outer\.{key}"):
        read_spec(Outer, {"name": "n", key: wrong}, "outer")
    assert not checker.is_valid({"name": "n", key: wrong})


def sections() -> Iterator[tuple[str, type, tuple[str, ...]]]:
    """(name, class, keys that the study has beside its own) of every section that is made of a class."""
    for name, hint in get_type_hints(Settings).items():
        if dataclasses.is_dataclass(hint):
            yield f"$defs/{name}", hint, ()
    yield "properties/headrank", Settings, ()
    # Which methods run, and on how many queries, is the study's business.
    yield "properties/generative", GenerativeSettings, ("methods", "queries", "whole")
    yield "$defs/synthetic", CollectionSpec, ()
    yield "$defs/synthetic/properties/language", LanguageSpec, ()
    yield "$defs/planted", BackboneSpec, ()
    yield "$defs/embedding", EmbeddingSpec, ()
    yield "$defs/realtext", RealTextSpec, ()
    yield "$defs/realtext/properties/planted/items", PlantedHead, ()


@pytest.mark.parametrize(("place", "kind", "own"), list(sections()))
def test_the_file_describes_every_setting_and_repeats_none(
    place: str, kind: type, own: tuple[str, ...]
) -> None:
    described = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for key in place.split("/"):
        described = described[key]
    keys = described["properties"]
    assert set(keys) == {*own, *(f.name for f in dataclasses.fields(kind))}
    for name in set(keys) - set(own):
        assert not {"type", "default", "minimum", "maximum"} & set(keys[name]), name


def test_a_default_of_the_class_is_that_of_the_schema() -> None:
    values = SCHEMA["$defs"]["selection"]["properties"]
    assert values["k"]["default"] == Settings().selection.k
    assert SCHEMA["$defs"]["pairs"]["properties"]["middle_zone"]["default"] == [11, 30]
    assert SCHEMA["$defs"]["heads"]["default"] == Settings().heads
    assert SCHEMA["properties"]["generative"]["properties"]["invalid"]["enum"] == ["mend", "ignore"]
    assert SCHEMA["$defs"]["planted"]["required"] == [
        "seed",
        "layers",
        "hidden",
        "heads",
        "kv_heads",
        "planted",
    ]


def test_names_come_from_the_tables_of_methods_and_metrics() -> None:
    values = SCHEMA["$defs"]
    assert values["frozen_method"]["enum"] == [*FROZEN]
    assert values["asked_method"]["enum"] == [*ASKED]
    assert values["baseline"]["enum"] == ["bm25", *FROZEN, None]
    assert values["heads"]["enum"] == [*CRITERIA]
    assert values["metric"]["examples"] == spellings()
    assert SCHEMA["properties"]["methods"]["items"] == {"$ref": "#/$defs/frozen_method"}


def test_the_completed_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA)
    again = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert completed(again) == SCHEMA
