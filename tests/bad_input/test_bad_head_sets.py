"""Head sets, routers and stored features: files of this project's own making."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bad_files import (
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    Bad,
    any_json,
    cases,
    changed,
    cut,
    damaged,
    read_or_refused,
    refused_by_command,
    refused_by_reader,
    spoilt,
    with_keys,
)
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from support import made_up_features

from headrank.engine.features import Features
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router

HEADS = HeadSet(
    "core", "m", 4, 4, ((2, 1), (0, 3)), (0.9, 0.5), {"selection": (0.5,) * 16}, {"queries": 3}, "ab12"
)


@pytest.fixture
def head_set(tmp_path: Path) -> Path:
    HEADS.save(tmp_path / "heads.json")
    return tmp_path / "heads.json"


@cases(
    *any_json("not a head set of schema 1"),
    Bad("no schema", with_keys(schema=...), "not a head set of schema 1"),
    Bad("another schema", with_keys(schema=2), "not a head set of schema 1"),
    Bad("a schema in words", with_keys(schema="1"), "not a head set of schema 1"),
    Bad("an unknown key", with_keys(haeds=[]), "head set.haeds: unknown key; did you mean 'heads'"),
    Bad("no method", with_keys(method=...), "head set.method: missing"),
    Bad("no heads", with_keys(heads=...), "head set.heads: missing"),
    Bad("no scores", with_keys(scores=...), "head set.scores: missing"),
    Bad("an empty set", with_keys(heads=[], scores=[]), "the head set is empty"),
    Bad("a number for the model", with_keys(model=3), "head set.model: expected str"),
    Bad("no layers", with_keys(n_layers=0), "head set.n_layers: expected at least 1"),
    Bad("layers in words", with_keys(n_layers="4"), "head set.n_layers: expected int"),
    Bad("a fraction of layers", with_keys(n_layers=4.5), "head set.n_layers: expected int"),
    Bad("true for heads of a layer", with_keys(n_heads=True), "head set.n_heads: expected int"),
    Bad("a layer beyond the model", with_keys(heads=[[4, 0], [0, 3]]), "head 4-0 is outside the model"),
    Bad("a head beyond the layer", with_keys(heads=[[2, 4], [0, 3]]), "head 2-4 is outside the model"),
    Bad("a head below 0", with_keys(heads=[[2, -1], [0, 3]]), "head set.heads: expected at least 0"),
    Bad("a head twice", with_keys(heads=[[2, 1], [2, 1]]), "names a head twice"),
    Bad("a head of three numbers", with_keys(heads=[[2, 1, 0], [0, 3]]), "head set.heads: expected 2 values"),
    Bad("a head in words", with_keys(heads=["2-1", "0-3"]), "head set.heads: expected a list"),
    Bad("heads as an object", with_keys(heads={"2": 1}), "head set.heads: expected a list"),
    Bad("fewer scores than heads", with_keys(scores=[0.9]), "2 heads but 1 scores"),
    Bad("a score in words", with_keys(scores=["high", 0.5]), "head set.scores: expected a finite number"),
    Bad("a score null", with_keys(scores=[None, 0.5]), "head set.scores: expected a finite number"),
    Bad("a score NaN", lambda whole: whole.replace(b"0.9", b"NaN"), "head set.scores: expected a finite number"),
    Bad("a score beyond 64 bits", lambda whole: whole.replace(b"0.9", b"1" * 400), "is out of range"),
    Bad("a statistic of other length", with_keys(statistics={"s": [0.1]}), "statistic 's' has 1 values for 16 heads"),
    Bad("a statistic that is a number", with_keys(statistics={"s": 1}), "head set.statistics.s: expected a list"),
    Bad("statistics as a list", with_keys(statistics=[1]), "head set.statistics: expected a mapping"),
    Bad("provenance as a text", with_keys(provenance="x"), "head set.provenance: expected a mapping"),
    Bad("a fingerprint that is a number", with_keys(fingerprint=7), "head set.fingerprint: expected str"),
    Bad("another way to count heads", with_keys(index="kv_head"), "head set.index: expected one of query_head"),
)  # fmt: skip
def test_a_bad_head_set_is_refused(bad: Bad, head_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoilt(head_set, bad)
    refused_by_command(capsys, ("heads", "show", head_set), head_set, head_set.parent, bad)
    whole = head_set.parent / "whole.json"
    HEADS.save(whole)
    refused_by_command(capsys, ("heads", "diff", whole, head_set), head_set, head_set.parent, bad)


@cases(
    Bad("a file", "", "no readable head set \\(No such file", NOT_FOUND),
    Bad("a folder", "", "no readable head set \\(Is a directory", NOT_FOUND),
)
def test_a_head_set_that_is_not_there(bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path if bad.name == "a folder" else tmp_path / "none.json"
    refused_by_command(capsys, ("heads", "show", path), path, tmp_path, bad)


def sound_features() -> Features:
    return made_up_features(np.full((2, 16, 3), 0.25), 4, 4, lengths=np.ones((2, 3)))


def sound_router() -> Router:
    torch.manual_seed(0)
    tensors = (torch.zeros(8), torch.ones(8), torch.rand(5, 8), torch.rand(2, 5), torch.rand(2))
    return Router(HEADS, 1, 2, 0.5, *tensors)


def header_changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    """A change of a safetensors file: of its header, which says where the numbers are."""

    def apply(whole: bytes) -> bytes:
        (size,) = struct.unpack("<Q", whole[:8])
        header = json.loads(whole[8 : 8 + size])
        new = json.dumps(change(header) or header).encode()
        return struct.pack("<Q", len(new)) + new + whole[8 + size :]

    return apply


def described(key: str, value: Any) -> Callable[[bytes], bytes]:
    """The description within the header replaced."""
    text = value if isinstance(value, str) else json.dumps(value)
    return header_changed(lambda header: header["__metadata__"].update({key: text}))


def arrays(key: str, told: Any, **tensors: Any) -> bytes:
    """A sound safetensors file of these arrays."""
    path = SCRATCH / "arrays.safetensors"
    save_file({name: np.asarray(array) for name, array in tensors.items()}, path, {key: json.dumps(told)})
    return path.read_bytes()


ONE = np.ones((2, 16, 3), dtype=np.float32)
# Of any safetensors file.
CONTAINER = (
    Bad("empty", b"", "no readable"),
    Bad("four bytes", b"\0\0\0\0", "no readable"),
    Bad("no safetensors", b"these are no numbers at all", "no readable"),
    Bad("cut in its numbers", cut(0.9), "no readable"),
    Bad("cut in its header", lambda whole: whole[:40], "no readable"),
    Bad("junk behind", lambda whole: whole + b"junk", "no readable"),
    Bad("a header longer than the file", lambda whole: struct.pack("<Q", 2**63) + whole[8:], "no readable"),
    Bad("a header of no length", lambda whole: struct.pack("<Q", 0) + whole[8:], "no readable"),
    Bad("no description", header_changed(lambda header: header.pop("__metadata__") and None), "no readable"),
    Bad("a pickle", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94.", "no readable"),
)


@cases(
    *CONTAINER,
    Bad("a description that is no JSON", described("headrank", "x"), "no readable features"),
    Bad("a description that is too short", described("headrank", ["m", 4]), "no readable features"),
    Bad("a description of wrong types", described("headrank", [4, "m", 4, ["a"]]), "header: expected str, got 4"),
    Bad("no layers", described("headrank", ["m", 0, 4, ["0", "1"]]), "header: expected at least 1, got 0"),
    Bad("a name that is a number", described("headrank", ["m", 4, 4, ["0", 1]]), "header: expected str, got 1"),
    Bad("a fingerprint that is a number", described("headrank", ["m", 4, 4, ["0", "1"], 7]), "fingerprint: expected"),
    Bad("fewer names than lists", described("headrank", ["m", 4, 4, ["0"]]), "which does not fit 1 lists"),
    Bad("more names than lists", described("headrank", ["m", 4, 4, ["0", "1", "2"]]), "which does not fit 3 lists"),
    Bad("whole numbers", arrays("headrank", ["m", 4, 4, ["0", "1"]], core=ONE.astype(int)), "'core' is int64"),
    Bad("texts as numbers", arrays("headrank", ["m", 4, 4, ["0", "1"]], core=ONE[0, 0].astype("u1")), "'core' is uint8"),
    Bad("a flat list", arrays("headrank", ["m", 4, 4, ["0", "1"]], core=ONE[:, 0, 0]), "'core' is float32 of shape"),
    Bad("NaN", arrays("headrank", ["m", 4, 4, ["0", "1"]], core=ONE * np.nan), "list '0': 'core' has a number"),
    Bad("infinity", arrays("headrank", ["m", 4, 4, ["0", "1"]], core=ONE * np.inf),
        "list '0': 'core' has a number that is NaN or infinite"),
    Bad("lengths of other lists", arrays("headrank", ["m", 4, 4, ["0", "1"]], core=ONE, lengths=ONE[:, 0, :2]),
        "'core' is float32 of shape \\(2, 16, 3\\), which does not fit"),
    Bad("lengths that contradict", arrays("headrank", ["m", 4, 4, ["0", "1"]], core=ONE, lengths=ONE[:, 0] * np.nan),
        "contradicts the others"),
)  # fmt: skip
def test_bad_features_are_refused(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    sound_features().save(path)
    refused_by_reader(Features.load, spoilt(path, bad), bad)


@cases(
    *CONTAINER,
    Bad("a description that is no JSON", described("router", "x"), "no readable router"),
    Bad("a description that is too short", described("router", [1, 2]), "no readable router"),
    Bad("a layer in words", described("router", ["one", 2, 0.5, HEADS.described()]), "layer: expected int"),
    Bad("a layer below 0", described("router", [-1, 2, 0.5, HEADS.described()]), "layer: expected at least 0"),
    Bad("a layer above the heads", described("router", [3, 2, 0.5, HEADS.described()]), "layer 3 is not within 0..2"),
    Bad("a budget of none", described("router", [1, 0, 0.5, HEADS.described()]), "budget: expected at least 1"),
    Bad("a threshold above 1", described("router", [1, 2, 1.5, HEADS.described()]), "threshold: expected at most 1"),
    Bad("a bad head set", described("router", [1, 2, 0.5, {"schema": 1}]), "malformed head set"),
    Bad("no head set", described("router", [1, 2, 0.5, None]), "not a head set of schema 1"),
    Bad("more heads than embeddings", described("router", [1, 2, 0.5, HeadSet(
        "core", "m", 4, 4, ((2, 1), (0, 3), (1, 1)), (3.0, 2.0, 1.0)).described()]), "the router's embeddings has shape"),
    Bad("no bias", header_changed(lambda h: {k: v for k, v in h.items() if k != "bias"}), "no readable router"),
    Bad("other sizes", arrays("router", [1, 2, 0.5, HEADS.described()], mean=np.zeros(8, "f4"), spread=np.ones(7, "f4"),
        weight=ONE[0, :5, :2], embeddings=ONE[0, :2, :2], bias=ONE[0, 0, :2]), "the router's (spread|weight) has shape"),
    Bad("a flat weight", arrays("router", [1, 2, 0.5, HEADS.described()], mean=np.zeros(8, "f4"), spread=np.ones(8, "f4"),
        weight=ONE[0, 0], embeddings=ONE[0, :2, :2], bias=ONE[0, 0, :2]), "its weight has shape \\(3,\\)"),
    Bad("a spread of 0", arrays("router", [1, 2, 0.5, HEADS.described()], mean=np.zeros(3, "f4"), spread=np.zeros(3, "f4"),
        weight=ONE[0, :2], embeddings=ONE[0, :2, :2], bias=ONE[0, 0, :2]), "spread should be positive"),
    Bad("a bias NaN", arrays("router", [1, 2, 0.5, HEADS.described()], mean=np.zeros(3, "f4"), spread=np.ones(3, "f4"),
        weight=ONE[0, :2], embeddings=ONE[0, :2, :2], bias=ONE[0, 0, :2] * np.nan), "bias holds a number that is not finite"),
)  # fmt: skip
def test_a_bad_router_is_refused(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "router.safetensors"
    sound_router().save(path)
    refused_by_reader(Router.load, spoilt(path, bad), bad)


READERS: dict[str, tuple[Callable[[Path], Any], Callable[[], Any]]] = {
    "heads.json": (HeadSet.load, lambda: HEADS),
    "features.safetensors": (Features.load, sound_features),
    "router.safetensors": (Router.load, sound_router),
}


@pytest.mark.parametrize("name", ["features.safetensors", "router.safetensors"])
@cases(
    Bad("a file", "", "no readable .* \\(.*No such file", NOT_FOUND),
    Bad("a folder", "", "no readable .* \\(.*Is a directory", NOT_FOUND),
)
def test_features_and_routers_that_are_not_there(name: str, bad: Bad, tmp_path: Path) -> None:
    path = tmp_path if bad.name == "a folder" else tmp_path / name
    refused_by_reader(READERS[name][0], path, bad)


@pytest.mark.parametrize("name", READERS)
@PROPERTY
@given(st.data())
def test_any_damage_is_read_or_refused(name: str, data: st.DataObject) -> None:
    reader, make = READERS[name]
    make().save(SCRATCH / f"whole.{name}")
    path = SCRATCH / name
    path.write_bytes(data.draw(damaged((SCRATCH / f"whole.{name}").read_bytes())))
    read_or_refused(reader, path)


@PROPERTY
@given(changed(HEADS.described()))
def test_any_other_head_set_is_read_or_refused(value: Any) -> None:
    path = SCRATCH / "changed.json"
    path.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    heads = read_or_refused(HeadSet.load, path)
    assert heads is None or heads.deepest < heads.n_layers


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=5, unique=True), st.data()
)
def test_what_was_saved_is_read_again(heads: list[tuple[int, int]], data: st.DataObject) -> None:
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    scores = tuple(data.draw(st.lists(numbers, min_size=len(heads), max_size=len(heads))))
    whole = HeadSet("core", data.draw(st.text(max_size=5)), 4, 4, tuple(heads), scores)
    whole.save(SCRATCH / "saved.json")
    assert HeadSet.load(SCRATCH / "saved.json") == whole


def test_features_and_routers_that_were_saved_are_read_again() -> None:
    features, router = sound_features(), sound_router()
    features.save(SCRATCH / "features.safetensors")
    router.save(SCRATCH / "router.safetensors")
    again = Features.load(SCRATCH / "features.safetensors")
    assert (again.model, again.ids) == (features.model, features.ids)
    assert all(np.array_equal(again.values[name], features.values[name]) for name in features.values)
    assert Router.load(SCRATCH / "router.safetensors").heads == router.heads
