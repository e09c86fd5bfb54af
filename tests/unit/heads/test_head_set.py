"""Head sets and stored features as files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from support import builder, count_calls, eager_attention, passages, tiny_backbone

from headrank.data.collections import Document
from headrank.engine.extract import collect_features
from headrank.engine.features import Features, stack_lists
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet

HEADS = HeadSet(
    "headrank",
    "some/model",
    4,
    2,
    ((3, 1), (0, 0)),
    (0.5, 0.25),
    {"entropy": (0.1,) * 8},
    {"seed": 3, "λ": "x"},
)


def test_round_trip(tmp_path: Path):
    HEADS.save(tmp_path / "heads.json")
    assert HeadSet.load(tmp_path / "heads.json") == HEADS
    stored = json.loads((tmp_path / "heads.json").read_text())
    assert (stored["schema"], stored["index"], stored["heads"]) == (1, "query_head", [[3, 1], [0, 0]])
    assert (HEADS.deepest, HEADS.depth) == (3, 4)


def changed(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "schema": 1, "method": "m", "model": "b", "n_layers": 2, "n_heads": 2, "index": "query_head",
        "heads": [[0, 1]], "scores": [1.0], "statistics": {}, "provenance": {},
    }  # fmt: skip
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no readable head set"),
        ("[]", "not a head set of schema 1"),
        (changed(schema=2), "not a head set of schema 1"),
        (changed(heads=...), "malformed head set.heads: missing"),
        (changed(heads=[[1]]), "malformed head set"),
        (changed(heads=["ab"]), "malformed head set"),
        (changed(scores=["high"]), "malformed head set"),
        (changed(scores=[None]), "malformed head set.scores: expected a finite number, got None"),
        (changed(heads=[[True, 0]]), "malformed head set.heads: expected int, got True"),
        (changed(heads=[[0.5, 0]]), "malformed head set.heads: expected int, got 0.5"),
        (changed(n_heads=0), "malformed head set.n_heads: expected at least 1"),
        (changed(model=None), "malformed head set.model: expected str"),
        (changed(statistics={"selection": [0.5]}), "statistic 'selection' has 1 values for 4 heads"),
        (changed(heads=None), "malformed head set.heads: expected a list"),
        ('{"schema": 1, "scores": [1e999]}', "no readable head set (the number '1e999' is out of range)"),
        ('{"scores": [-1E+999]}', "no readable head set (the number '-1E+999' is out of range)"),
        (f'{{"n_layers": 1{"0" * 400}}}', "is out of range)"),
        (f'{{"n_layers": {"9" * 5000}}}', "is out of range)"),
        ('{"heads": [], "heads": [[0, 0]]}', "no readable head set (the key 'heads' is given twice)"),
        ("[" * 100_000, "no readable head set (nested more than 64 levels deep)"),
        ('{"a":' * 100_000, "no readable head set (nested more than 64 levels deep)"),
        ("[" * 65 + "]" * 65, "no readable head set (nested more than 64 levels deep)"),
        (changed(statistics=[1]), "malformed head set"),
        (changed(statistics={"x": [10**400] * 4}), "is out of range)"),
        (changed(statistics=None), "malformed head set"),
        (changed(scores=[10**400]), "is out of range)"),
        (changed(scores=[float("nan")]), "malformed head set.scores: expected a finite number, got nan"),
        (changed(scores=[float("-inf")]), "no readable head set (-Infinity is no number)"),
        (changed(heads=[["0", 1]]), "malformed head set.heads: expected int, got '0'"),
        (changed(n_layers=10**400), "is out of range)"),
        (changed(n_heads="2"), "malformed head set"),
        (changed(model=["b"]), "malformed head set"),
        (changed(method=None), "malformed head set"),
        (changed(provenance=None), "malformed head set"),
        (changed(fingerprint=3), "malformed head set"),
        ("null", "not a head set of schema 1"),
        (changed(heads=[], scores=[]), "the head set is empty"),
        (changed(heads=[[0, 1], [0, 1]], scores=[1, 1]), "names a head twice"),
        (changed(scores=[1.0, 2.0]), "1 heads but 2 scores"),
        (changed(heads=[[2, 0]]), "head 2-0 is outside the model (2 layers of 2 heads)"),
        (changed(heads=[[0, -1]]), "malformed head set.heads: expected at least 0, got -1"),
    ],
)
def test_malformed_files_are_refused_by_name(tmp_path: Path, content: Any, message: str):
    path = tmp_path / "heads.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError) as caught:
        HeadSet.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 200


def test_an_absent_file_is_refused_by_name(tmp_path: Path):
    for kind in (HeadSet, Features):
        with pytest.raises(InputError, match=str(tmp_path / "absent")):
            kind.load(tmp_path / "absent")


def test_heads_are_checked_against_a_model():
    HEADS.check(4, 2, "here")
    with pytest.raises(InputError, match="here: head 3-1 is outside the model"):
        HEADS.check(3, 2, "here")


# --- stored features ---


def small_features() -> Features:
    part = np.arange(6, dtype=np.float32).reshape(2, 3)
    values = {
        "headrank": stack_lists([part, part[:, :1] + 9]),
        "lengths": np.array([[2, 4, 0], [8, 0, 0]], np.float32),
    }
    return Features("some/model", 1, 2, ("3", "a b"), values)


def test_lists_are_padded_with_nan():
    stored = small_features().values["headrank"]
    assert stored.shape == (2, 2, 3)
    assert np.isnan(stored[1, :, 1:]).all()
    assert stored[1, :, 0].tolist() == [9, 12]


def test_features_round_trip(tmp_path: Path):
    features = small_features()
    # A transposed array is not contiguous: its bytes must not be taken in memory order.
    turned = np.arange(6, dtype=np.float32).reshape(3, 2).T
    features = replace(features, values={**features.values, "turned": turned})
    features.save(tmp_path / "f.safetensors")
    loaded = Features.load(tmp_path / "f.safetensors")
    assert (loaded.model, loaded.n_layers, loaded.n_heads, loaded.ids) == ("some/model", 1, 2, ("3", "a b"))
    assert loaded.values.keys() == features.values.keys()
    for name, values in features.values.items():
        np.testing.assert_array_equal(loaded.values[name], values)


def test_masses_of_one_list():
    features = small_features()
    assert features.rows(["a b", "3"]).tolist() == [1, 0]
    assert features.masses("headrank", 1, 1).tolist() == [[9], [12]]
    expected = [[0 / 2, 1 / 4, 2 / 1], [3 / 2, 4 / 4, 5 / 1]]  # an empty document counts as one token
    assert features.masses("headrank", 0, 3, length_alpha=1.0).tolist() == expected
    with pytest.raises(InputError, match="some/model: 2 lists are missing, such as 'x'"):
        features.rows(["3", "x", "y"])


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "foreign"])
def test_damaged_features_are_refused_by_name(tmp_path: Path, damage: str):
    path = tmp_path / "f.safetensors"
    small_features().save(path)
    whole = path.read_bytes()
    if damage == "foreign":
        save_file({"x": np.zeros(2, np.float32)}, path)
    else:
        path.write_bytes({"empty": b"", "cut": whole[:-5], "text": b"not safetensors at all"}[damage])
    with pytest.raises(InputError) as caught:
        Features.load(path)
    assert str(caught.value).startswith(f"{path}: no readable features")
    assert "\n" not in str(caught.value)


# --- features of a real forward pass ---


def test_collected_features_equal_eager_attention():
    backbone, built = tiny_backbone("llama"), builder("llama")
    lists = {"7": ("red oak", passages(4)), "9": ("elm", passages(2, seed=1))}
    with count_calls({"decoder": backbone.decoder}) as calls:
        features = collect_features(backbone, built, lists, "query", "text")
    assert calls["decoder"] == 2  # one per list, for all heads and every method
    assert features.ids == ("7", "9")
    assert features.values["headrank"].shape == (2, 24, 4)
    for i, (query, documents) in enumerate(lists.values()):
        prompt = built.build(query, documents)
        size = len(prompt.prefix)
        attention = eager_attention("llama", [*prompt.prefix, *prompt.query.ids])
        for name, span, spans in [
            ("headrank", "query", prompt.text),
            ("core", "instruction+query+next", prompt.text),
        ]:
            start, stop = prompt.query.rows(span)
            mass = attention[:, :, size + start : size + stop, :size].mean(2).reshape(24, size)
            expected = torch.stack([mass[:, a:b].sum(1) for a, b in spans], dim=1)
            found = features.values[name][i, :, : len(documents)]
            np.testing.assert_allclose(found, expected, atol=1e-5)
        mass = attention[:, :, size + prompt.query.query[0] : size + prompt.query.query[1], :size].mean(2)
        inside = torch.cat([mass[..., a:b] for a, b in prompt.text], dim=-1).reshape(24, -1)
        share = inside / inside.sum(1, keepdim=True)
        entropy = -(share * share.log()).sum(1) / np.log(inside.shape[1])
        np.testing.assert_allclose(features.values["token_entropy"][i], entropy, atol=1e-5)
        lengths = [b - a for a, b in prompt.text]
        assert features.values["lengths"][i, : len(lengths)].tolist() == lengths
    # QRHead's masses are calibrated and masked: neither all positive nor the raw ones.
    assert (features.values["qrhead"][0] < 0).any()


def test_features_of_empty_passages_are_finite():
    empty = [Document("a", "", ""), Document("b", "", "")]
    features = collect_features(tiny_backbone("qwen3"), builder(), {"0": ("q", empty)}, "query", "text")
    assert all(np.isfinite(values).all() for values in features.values.values())
    assert not features.values["headrank"].any()
