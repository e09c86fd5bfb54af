"""A training run that is killed goes on as if nothing had happened: equal bytes, wherever it was killed."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from trainable import HEADS, adapter_weights, examples, make_settings, truncated

from headrank.heads.head_set import HeadSet
from headrank.training import checkpoint, loop, objective, stepper
from headrank.training.loop import TrainingResult, train

pytestmark = pytest.mark.slow

# Three steps an epoch, nine in all; checkpoints behind every second step and behind each epoch.
TRAINING: dict[str, Any] = {"epochs": 3, "checkpoint_every": 2, "lora_dropout": 0.2, "early_stopping": "ndcg"}
CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "remined": {"pairs": {"remine": "epoch"}},
    "lower": {"training": {"modules": "chosen-qk"}},
    "saving": {"training": {"activation_gib": 0.0}},
    # Steps too small to change a rank: no epoch is better than none.
    "patient": {"training": {"patience": 2, "learning_rate": 1e-12}},
}


def settings_of(name: str) -> Any:
    changes = dict(CHANGES[name])
    changes["training"] = {**TRAINING, **changes.get("training", {})}
    return make_settings(**changes)


def run(name: str, folder: Path | None, **given: Any) -> TrainingResult:
    return train(truncated(), HEADS, given.get("lists", examples()), settings_of(name), folder)


@cache
def uninterrupted(name: str) -> TrainingResult:
    return run(name, None)


def same(found: TrainingResult, expected: TrainingResult) -> None:
    """Equal to the last bit, except for times and memory."""
    pd.testing.assert_frame_equal(found.curve, expected.curve, check_exact=True)
    weights, others = adapter_weights(found.model), adapter_weights(expected.model)
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[n], others[n]) for n in others)
    counted = ["step", "epoch", "lists", "tokens"]
    pd.testing.assert_frame_equal(found.steps[counted], expected.steps[counted], check_exact=True)


def train_until(name: str, folder: str, place: str, count: int) -> None:
    """In a process of its own: train, and die by SIGKILL at the ``count``-th time that a place is reached."""
    left = [count]

    def dying(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                if place == "writing":
                    # Half a file is there, under a name that is not the checkpoint's.
                    function(*arguments, **named)
                    path = Path(arguments[1])
                    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    owner, attribute = {
        "list": (stepper, "list_loss"),
        "held-out": (loop, "measure_heldout"),
        "mining": (objective, "with_pairs"),
        "writing": (checkpoint, "save_file"),
    }[place]
    setattr(owner, attribute, dying(getattr(owner, attribute)))
    run(name, Path(folder))


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One process that has loaded everything, from which those that are killed are forked."""
    multiprocessing.set_forkserver_preload(["trainable"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        # It has a tiny checkpoint of its own, and no time to clean up.
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("killed")))
        forkserver.ensure_running()


def kill(name: str, folder: Path, place: str, count: int) -> None:
    """Train in another process, which is killed at a place."""
    process = multiprocessing.get_context("forkserver").Process(
        target=train_until, args=(name, str(folder), place, count)
    )
    process.start()
    process.join(240)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("name", "place", "count", "step"),
    [
        ("plain", "list", 5, 0),  # in the second step: no checkpoint yet, everything again
        ("plain", "list", 26, 8),  # the ninth step, inside the last epoch
        ("plain", "held-out", 3, 6),  # all steps of the second epoch done, its held-out lists not measured
        ("plain", "list", 19, 6),  # the first step behind the second epoch
        ("plain", "writing", 3, 3),  # while the third checkpoint is written, behind step 4
        ("remined", "list", 17, 4),  # the sixth step; the epoch's pairs were mined with other weights
        ("remined", "mining", 12, 3),  # while pairs are mined at the second epoch's beginning
        ("lower", "list", 15, 4),
        ("saving", "list", 15, 4),
        ("patient", "held-out", 3, 6),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bytes(
    name: str, place: str, count: int, step: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    kill(name, tmp_path, place, count)
    caplog.set_level(logging.INFO)
    found = run(name, tmp_path)
    told = [r.getMessage() for r in caplog.records if r.getMessage().startswith("resumed")]
    assert [line.split(",")[0] for line in told] == ([f"resumed at step {step} of 9"] if step else [])
    same(found, uninterrupted(name))


def test_a_run_killed_twice_goes_on_to_the_same_bytes(tmp_path: Path):
    kill("plain", tmp_path, "list", 10)
    kill("plain", tmp_path, "list", 10)
    same(run("plain", tmp_path), uninterrupted("plain"))


def test_a_finished_run_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its results may not have been written yet."""
    run("plain", tmp_path)
    monkeypatch.setattr(stepper, "list_loss", None)
    monkeypatch.setattr(loop, "measure_heldout", None)
    same(run("plain", tmp_path), uninterrupted("plain"))
    checkpoint.forget(tmp_path)
    assert not tmp_path.exists()


def test_patience_survives_a_kill(tmp_path: Path):
    """The run that was killed after its last epoch must not begin another."""
    assert uninterrupted("patient").curve["epoch"].max() < 3
    run("patient", tmp_path)
    same(run("patient", tmp_path), uninterrupted("patient"))


def test_checkpoints_change_nothing_and_none_is_kept_where_none_is_wanted(tmp_path: Path):
    settings = make_settings(training={**TRAINING, "checkpoint_every": 0})
    same(train(truncated(), HEADS, examples(), settings, tmp_path), uninterrupted("plain"))
    assert list(tmp_path.iterdir()) == []
    same(run("plain", tmp_path), uninterrupted("plain"))
    assert [p.name for p in tmp_path.iterdir()] == ["training.safetensors"]


def changed(name: str) -> dict[str, Any]:
    lists = examples()
    return {
        "settings": {"settings": replace(settings_of("plain"), query_span="instruction+query")},
        "heads": {"heads": HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 3)), (1.0, 0.5))},
        "lists": {"lists": (replace(lists[0], grades=lists[0].grades.roll(1)), *lists[1:])},
        "backbone": {"dtype": "bfloat16"},
        "code": {},
    }[name]


@pytest.mark.parametrize("name", ["settings", "heads", "lists", "backbone", "code"])
def test_a_checkpoint_of_another_run_is_ignored_and_said_so(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    run("plain", tmp_path)
    other = changed(name)
    if name == "code":
        monkeypatch.setattr("headrank.training.run_digest.version", lambda package: "0.0")
    backbone = truncated()
    if "dtype" in other:
        backbone.model.to(torch.bfloat16)
    arguments = (other.get("heads", HEADS), other.get("lists", examples()))
    settings = other.get("settings", settings_of("plain"))
    caplog.set_level(logging.WARNING)
    found = train(backbone, *arguments, settings, tmp_path)
    lines = [record.getMessage() for record in caplog.records if "starts over" in record.getMessage()]
    assert lines == [
        f"{tmp_path / 'training.safetensors'}: belongs to another run (different {name}), training starts over"
    ]
    if name == "code":
        same(found, uninterrupted("plain"))


def test_how_a_run_is_carried_out_is_not_what_it_is(tmp_path: Path):
    """Checkpoints may be asked for more often, memory be saved: the run goes on."""
    kill("plain", tmp_path, "list", 26)
    settings = settings_of("plain")
    other = replace(
        settings,
        training=replace(settings.training, checkpoint_every=7, cache_gib=0.0, activation_gib=0.0),
    )
    found = train(truncated(), HEADS, examples(), other, tmp_path)
    same(found, uninterrupted("plain"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign"])
def test_a_damaged_checkpoint_is_ignored_and_said_so(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    run("plain", tmp_path)
    path = tmp_path / "training.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-40])
    elif damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
        load_file(path)  # safetensors itself does not notice
    else:
        save_file({"a": torch.zeros(2)}, path)
    caplog.set_level(logging.WARNING)
    same(run("plain", tmp_path), uninterrupted("plain"))
    (line,) = [r.getMessage() for r in caplog.records if "starts over" in r.getMessage()]
    assert line.startswith(str(path))


def test_a_checkpoint_that_cannot_be_written_costs_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    original, written = checkpoint.save_file, []

    def full(tensors: Any, path: Path, meta: Any) -> None:
        if len(written) == 1:
            raise OSError(28, "No space left on device", str(path))
        written.append(json.loads(meta["state"])["progress"]["step"])
        original(tensors, path, meta)

    monkeypatch.setattr(checkpoint, "save_file", full)
    caplog.set_level(logging.WARNING)
    same(run("plain", tmp_path), uninterrupted("plain"))
    lines = [r.getMessage() for r in caplog.records if "no checkpoint written" in r.getMessage()]
    assert len(lines) == 6  # behind steps 3, 4, 6 (and the epoch), 8 and 9
    # The one that could be written is still whole.
    assert [p.name for p in tmp_path.iterdir()] == ["training.safetensors"]
    with safe_open(tmp_path / "training.safetensors", "pt") as file:
        assert json.loads(file.metadata()["state"])["progress"]["step"] == 2
