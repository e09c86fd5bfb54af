"""Fitted probabilities: files of this project's own making, which are read with every ranking."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_files import (
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    Bad,
    any_json,
    cases,
    changed,
    damaged,
    read_or_refused,
    refused_by_reader,
    spoilt,
    with_keys,
)
from hypothesis import given
from hypothesis import strategies as st

from headrank.probability.made_with import MadeWith
from headrank.probability.probability import Curve, Expected, Probability

MADE = MadeWith("icr", "m", 4, 4, ((2, 1), (0, 3)), {"family": "qwen3"}, "ab12")
POINTS = ((0.0, 0.25), (1.5, 0.75))
SOUND = Probability(MADE, "ratio", Expected(1.0, 0.5, 0.0, 0.0, 0.25), Curve("isotonic", points=POINTS))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    SOUND.save(tmp_path / "probability.json")
    return tmp_path / "probability.json"


def curve(**changes: object) -> dict[str, object]:
    return {
        "curve": {
            "form": "isotonic",
            "slope": 0.0,
            "constant": 0.0,
            "points": [[0, 0.2], [1, 0.4]],
            **changes,
        }
    }


EXPECTED = {"constant": 1.0, "length": 0.5, "place": 0.0, "bend": 0.0, "spread": 0.25}


@cases(
    *any_json("not a probability of schema 1"),
    Bad("another schema", with_keys(schema=2), "not a probability of schema 1"),
    Bad("no schema", with_keys(schema=...), "not a probability of schema 1"),
    Bad("an unknown key", with_keys(curv=1), "probability.curv: unknown key; did you mean 'curve'"),
    Bad("no curve", with_keys(curve=...), "probability.curve: missing"),
    Bad("another signal", with_keys(signal="score"), "probability.signal: expected one of ratio, mass"),
    Bad("an unknown curve", with_keys(**curve(form="spline")), "probability.curve.form: expected one of platt, isotonic"),
    Bad("a curve that falls", with_keys(**curve(points=[[0, 0.4], [1, 0.2]])), "curve.points do not rise"),
    Bad("points in another order", with_keys(**curve(points=[[1, 0.2], [0, 0.4]])), "curve.points do not rise"),
    Bad("a point twice", with_keys(**curve(points=[[0, 0.2], [0, 0.4]])), "curve.points do not rise"),
    Bad("no points", with_keys(**curve(points=[])), "curve.points do not rise"),
    Bad("a point of one number", with_keys(**curve(points=[[0]])), "probability.curve.points: expected 2 values"),
    Bad("a probability above 1", with_keys(**curve(points=[[0, 0.2], [1, 1.4]])), "expected at most 1"),
    Bad("a slope of 0", with_keys(**curve(form="platt")), "curve.slope is 0.0, expected more than 0"),
    Bad("a slope below 0", with_keys(**curve(form="platt", slope=-1)), "curve.slope is -1.0, expected more than 0"),
    Bad("a spread of 0", with_keys(expected={**EXPECTED, "spread": 0}), "probability.expected.spread: expected more than 0"),
    Bad("a weight null", with_keys(expected={**EXPECTED, "place": None}), "probability.expected.place: expected a finite number"),
    Bad("no method", with_keys(made_with={"model": "m"}), "probability.made_with.method: missing"),
    Bad("a number that is none", lambda whole: whole.replace(b"0.25", b"NaN"), "no readable probability"),
)  # fmt: skip
def test_a_bad_probability_is_refused(bad: Bad, file: Path) -> None:
    spoilt(file, bad)
    refused_by_reader(Probability.load, file, bad)


@cases(
    Bad("a file", "", "no readable probability \\(No such file", NOT_FOUND),
    Bad("a folder", "", "no readable probability \\(Is a directory", NOT_FOUND),
)
def test_a_probability_that_is_not_there(bad: Bad, tmp_path: Path) -> None:
    refused_by_reader(Probability.load, tmp_path if bad.name == "a folder" else tmp_path / "none.json", bad)


@PROPERTY
@given(st.data())
def test_any_damage_of_a_probability_is_read_or_refused(data: st.DataObject) -> None:
    path = SCRATCH / "probability.json"
    SOUND.save(path)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    read_or_refused(Probability.load, path)


@PROPERTY
@given(changed(json.loads(json.dumps({"schema": 1, **asdict(SOUND)}))))
def test_any_other_probability_is_read_or_refused(value: Any) -> None:
    path = SCRATCH / "changed.json"
    path.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    found = read_or_refused(Probability.load, path)
    assert (
        found is None
        or ((found.curve(np.array([-1.0, 9.0])) >= 0) & (found.curve(np.array([9.0])) <= 1)).all()
    )
