"""Stored features: numbers that are not finite are found where they are read, written or used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from support import builder, choose_heads, lists_frame, made_up_features, passages, tiny_backbone

from headrank.engine.extract import collect_features
from headrank.engine.features import Features
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.heads.replay import StoredMasses
from headrank.heads.routing.labels import candidate_heads
from headrank.heads.selection import select_headrank, top_heads
from headrank.settings import MassSettings, SelectionSettings, Settings
from headrank.training.pairs import mine_pairs

NAN, INF = float("nan"), float("inf")


def collected() -> Features:
    """Lists of three and five documents, so that the first is padded."""
    lists = {"7": ("red oak", passages(3)), "9": ("elm", passages(5))}
    return collect_features(
        tiny_backbone("qwen3"), builder(), lists, "query", "text", tokens_per_pass=0, states_layer=1
    )


def damaged(features: Features, name: str, place: Any, value: float) -> Features:
    array = features.values[name].copy()
    array[place] = value
    return replace(features, values={**features.values, name: array})


def test_padding_is_no_fault(tmp_path: Path):
    features = collected()
    assert np.isnan(features.values["headrank"][0, :, 3:]).all()
    features.save(tmp_path / "f.safetensors")
    found = Features.load(tmp_path / "f.safetensors")
    for name, array in features.values.items():
        np.testing.assert_array_equal(found.values[name], array)


@pytest.mark.parametrize(
    ("name", "place", "value", "where"),
    [
        ("headrank", (1, 2, 4), NAN, "9"),
        ("null", (0, 0, 0), INF, "7"),
        ("qrhead", (0, 5, 2), -INF, "7"),
        ("core", (0, 5, slice(0, 3)), NAN, "7"),
        ("icr_layers", (1, 0, 1), NAN, "9"),
        ("token_entropy", (1, 3), NAN, "9"),
        ("states", (0, 11), INF, "7"),
        ("lengths", (1, 1), INF, "9"),
        # The list would look shorter than it is.
        ("lengths", (1, 4), NAN, "9"),
        ("lengths", (1, slice(None)), NAN, "9"),
    ],
)
def test_a_file_with_them_is_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: Any, value: float, where: str
):
    features = damaged(collected(), name, place, value)
    path = tmp_path / "f.safetensors"
    with pytest.raises(InputError, match=rf"f\.safetensors: list '{where}': '\w+' has a number that is NaN"):
        features.save(path)
    assert not path.exists()
    monkeypatch.setattr(Features, "check", lambda *_: None)
    features.save(path)
    monkeypatch.undo()
    with pytest.raises(InputError, match=rf"f\.safetensors: list '{where}': '\w+' has a number that is NaN"):
        Features.load(path)


def test_four_kilobytes_of_nan_are_found_wherever_they_lie(tmp_path: Path):
    path = tmp_path / "f.safetensors"
    made_up_features(np.random.default_rng(0).random((3, 16, 30)), 4, 4).save(path)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for start in range(header, len(whole) - 4096, 4096):
        content = bytearray(whole)
        content[start : start + 4096] = np.full(1024, NAN, dtype=np.float32).tobytes()
        path.write_bytes(content)
        with pytest.raises(InputError, match="has a number that is NaN or infinite"):
            Features.load(path)


def good() -> tuple[Features, Any]:
    masses = np.random.default_rng(1).random((2, 4, 6))
    return made_up_features(masses, 2, 2), lists_frame([[3, 2, 1, 0, 0, 2], [2, 0, 1, 3, 0, 0]])


@pytest.mark.parametrize("name", ["headrank", "qrhead", "core", "token_entropy", "icr_layers"])
def test_no_choice_of_heads_uses_them(name: str):
    features, lists = good()
    place: Any = (1, 2) if name == "token_entropy" else (1, 1, 2)
    bad = damaged(features, name, place, NAN)
    message = rf"features of made-up: list '1': '{name}' does not hold a finite number"
    settings = Settings()
    choices: dict[str, list[Any]] = {
        "headrank": [
            lambda: select_headrank(bad, lists, SelectionSettings(), MassSettings()),
            lambda: candidate_heads(bad, lists, 2),
            lambda: choose_heads("best-layer", bad, lists),
            lambda: mine_pairs(bad, lists, heads(), MassSettings(), "log-mean", settings.pairs, 0),
        ],
        "qrhead": [lambda: choose_heads("qrhead", bad, lists)],
        "core": [lambda: choose_heads("core", bad, lists, core_temperatures=(0.1,))],
        "token_entropy": [
            lambda: select_headrank(bad, lists, SelectionSettings(entropy="token"), MassSettings())
        ],
        "icr_layers": [lambda: choose_heads("selective-icr", bad, lists)],
    }
    for choose in choices[name]:
        with pytest.raises(InputError, match=message):
            choose()


def heads() -> HeadSet:
    return HeadSet("made-up", "made-up", 2, 2, ((0, 1), (1, 0)), (0.5, 0.4))


def test_no_replayed_ranking_uses_them():
    features, _ = good()
    bad = damaged(replace(features, ids=("q1", "q2")), "headrank", (1, 1, 2), NAN)
    ranking = pd.DataFrame(
        [(q, f"d{i}", i, False) for q in ("q1", "q2") for i in range(6)],
        columns=["qid", "docid", "position", "empty"],
    )
    with pytest.raises(
        InputError, match="list 'q2': 'headrank' does not hold a finite number for each of its 6"
    ):
        StoredMasses.of(bad, ranking, Settings())


def test_lists_longer_than_those_of_the_features_are_refused():
    features, _ = good()
    with pytest.raises(
        InputError, match="list '0': 'headrank' does not hold a finite number for each of its 8"
    ):
        features.masses("headrank", 0, 8)
    short = collected()
    with pytest.raises(
        InputError, match="list '7': 'headrank' does not hold a finite number for each of its 4"
    ):
        short.masses("headrank", 0, 4)


@pytest.mark.parametrize("settings", [MassSettings(epsilon=NAN), MassSettings(epsilon=INF)])
def test_settings_that_make_scores_nan_choose_no_heads(settings: MassSettings):
    features, lists = good()
    shares = r"list '0': shares of the list are not finite; check the settings of headrank\.mass"
    with pytest.raises(InputError, match=shares):
        select_headrank(features, lists, SelectionSettings(), settings)
    with pytest.raises(InputError, match=shares):
        mine_pairs(features, lists, heads(), settings, "log-mean", Settings().pairs, 0)


def test_no_head_is_chosen_by_a_score_that_is_not_finite():
    features, _ = good()
    score = np.array([0.5, NAN, 0.4, NAN])
    allowed = np.array([True, True, True, False])
    with pytest.raises(InputError, match="the score of head 0-1 and of 0 others is not finite"):
        top_heads("made-up", features, score, allowed, 1, {}, None)
    # Heads that may not be chosen need no score.
    allowed[1] = False
    assert top_heads("made-up", features, score, allowed, 1, {}, None).heads == ((0, 0),)


def test_a_head_set_with_such_scores_is_refused():
    described = {**heads().described(), "scores": [0.5, NAN]}
    with pytest.raises(InputError, match=r"heads\.json: malformed head set.scores: expected a finite number"):
        HeadSet.read(described, "heads.json")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("headrank", np.zeros((3, 16, 5), np.float32)),
        ("null", np.zeros((2, 15, 5), np.float32)),
        ("core", np.zeros((2, 16, 4), np.float32)),
        ("icr_layers", np.zeros((2, 16, 5), np.float32)),
        ("token_entropy", np.zeros((1, 16), np.float32)),
        ("states", np.zeros(48, np.float32)),
        ("qrhead", np.zeros((2, 16, 5), np.int32)),
    ],
)
def test_values_that_do_not_fit_the_lists_are_named_with_their_shape(
    tmp_path: Path, name: str, array: np.ndarray
):
    found = collected()
    wrong = replace(found, values={**found.values, name: array})
    with pytest.raises(InputError, match=rf"'{name}' is {array.dtype} of shape .* does not fit 2 lists"):
        wrong.save(tmp_path / "f.safetensors")
    assert not (tmp_path / "f.safetensors").exists()
    numbers = {key: np.ascontiguousarray(value) for key, value in wrong.values.items()}
    header = {"headrank": json.dumps([found.model, 4, 4, found.ids])}
    save_file(numbers, tmp_path / "g.safetensors", metadata=header)
    with pytest.raises(InputError, match=rf"g\.safetensors: '{name}' is "):
        Features.load(tmp_path / "g.safetensors")
