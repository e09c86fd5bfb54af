"""Which model something was made with: names, shapes and fingerprints, compared wherever it is used."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.torch import load_file, save_file
from support import builder, checkpoint, passages, tiny_backbone, tiny_config, write_checkpoint

from headrank.engine.backbone import identify, load_backbone
from headrank.engine.extract import collect_features
from headrank.engine.features import Features
from headrank.engine.fingerprint import fingerprint, fingerprints
from headrank.engine.identity import Identity
from headrank.engine.places import folder_of
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.labels import candidate_heads, label_lists
from headrank.jobs.shards import join_features
from headrank.rerankers.parts import Parts
from headrank.settings import Settings
from headrank.training.loop import train


def compare(recorded: Identity, used: Identity) -> None:
    recorded.check(used, "heads.json", "found on", "detect heads again")


def test_a_model_is_itself_under_any_name() -> None:
    compare(Identity("models/a", 4, 2, "f"), Identity("/elsewhere/b", 4, 2, "f"))
    compare(Identity("a", 4, 2, "before"), Identity("a", 4, 2, "now", ("before",)))
    compare(Identity("a", 4, None), Identity("a", 4, 2, "f"))


@pytest.mark.parametrize(
    ("used", "why"),
    [
        (Identity("b", 4, 3, "f"), "(4 layers of 2 heads, not 4 layers of 3 heads)"),
        (Identity("b", 6, 2, "f"), "(4 layers of 2 heads, not 6 layers of 2 heads)"),
        (Identity("b", 4, 2, "g"), "(their configuration or weights differ)"),
        (Identity("b", 4, 2, "g", ("h",)), "(their configuration or weights differ)"),
    ],
)
def test_another_model_is_refused_in_one_line(used: Identity, why: str) -> None:
    with pytest.raises(InputError) as caught:
        compare(Identity("models/a", 4, 2, "f"), used)
    assert (
        str(caught.value)
        == f"heads.json: found on another backbone than b: models/a {why}; detect heads again"
    )


def test_without_fingerprints_another_name_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        compare(Identity("results/one/small", 4, 2), Identity("/moved/small", 4, 2, "f"))
        assert not caplog.messages
        for _ in range(2):
            compare(Identity("results/one/small", 4, 2), Identity("never-seen", 4, 2, "f"))
    assert caplog.messages == [
        "heads.json: found on results/one/small, whose fingerprint is not recorded; make sure that never-seen is the"
        " same model"
    ]


def test_a_fingerprint_counts_the_weights_that_are_loaded(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen3"), tmp_path / "model"))
    plain = fingerprints(folder)
    assert plain == (fingerprint(str(folder)),)
    # Some published models hold their weights twice, and not everyone downloads both.
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    assert fingerprints(folder)[0] == plain[0]
    assert len(fingerprints(folder)) == 2
    compare(Identity("a", 4, 4, fingerprints(folder)[1]), load_backbone(folder).identity)


def test_a_fingerprint_sees_every_file_that_an_index_names(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen3"), tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: weights[name] for name in own}, folder / file, {"format": "pt"})
    index = {"weight_map": {name: file for file, own in parts.items() for name in own}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    before = fingerprints(folder)
    weights[names[1]] = weights[names[1]] + 1
    save_file({name: weights[name] for name in names[1::2]}, folder / "model-2.safetensors", {"format": "pt"})
    assert fingerprints(folder)[0] != before[0]
    (folder / "model.safetensors.index.json").write_text("[")
    assert len(fingerprints(folder)) == 1


def test_a_loaded_model_is_what_it_was_identified_as(tmp_path: Path) -> None:
    path = str(checkpoint("qwen3"))
    assert identify(path) == load_backbone(path, depth=2).identity
    assert (identify(path).n_layers, identify(path).n_heads) == (4, 4)
    twin = write_checkpoint(tmp_path / "twin", tiny_config("qwen3"), seed=5)
    assert identify(str(twin)).fingerprint != identify(path).fingerprint


def test_what_is_no_model_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    for name, revision, message in (
        (str(checkpoint("qwen3")), "1" * 40, f"a folder has no revision; leave {'1' * 40} out"),
        (str(tmp_path / "weights.safetensors"), None, "name the folder"),
        (str(tmp_path / "none"), None, "no usable model configuration (no such folder"),
    ):
        with pytest.raises(InputError) as caught:
            folder_of(name, revision)
        assert str(caught.value).startswith(f"{name}: ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def of(backbone: str, **changes: Any) -> HeadSet:
    model = tiny_backbone(backbone).identity
    heads = HeadSet("core", model.name, 4, 4, ((2, 1), (1, 2)), (1.0, 0.5), fingerprint=model.fingerprint)
    return replace(heads, **changes)


@pytest.mark.parametrize("changes", [{"n_layers": 5}, {"n_heads": 6}, {"fingerprint": "0" * 64}])
def test_heads_of_another_model_are_refused_wherever_they_are_used(changes: dict[str, Any]) -> None:
    backbone = tiny_backbone("qwen3")
    others = of("qwen3", **changes)
    Parts(backbone, builder(), {"core": of("qwen3")}, Settings())
    with pytest.raises(InputError, match="head set 'core': found on another backbone than"):
        Parts(backbone, builder(), {"core": others}, Settings())
    with pytest.raises(InputError, match="training: head set 'core': found on another backbone"):
        train(backbone, others, [], Settings())


def test_features_and_heads_found_on_them_know_their_model(tmp_path: Path) -> None:
    backbone = tiny_backbone("qwen3")
    features = collect_features(backbone, builder(), {"0": ("oak", passages(3))}, "query", "text")
    assert features.identity.fingerprint == backbone.identity.fingerprint
    features.save(tmp_path / "f.safetensors")
    assert Features.load(tmp_path / "f.safetensors").identity == features.identity
    rows = [(0, "q", 0, position, f"d{position}", int(position == 1), position) for position in range(3)]
    lists = pd.DataFrame(rows, columns=["list_id", "qid", "sample", "position", "docid", "grade", "rank"])
    heads = candidate_heads(features, lists, 2)
    assert heads.fingerprint == backbone.identity.fingerprint
    heads.save(tmp_path / "heads.json")
    assert HeadSet.load(tmp_path / "heads.json") == heads
    stranger = replace(heads, fingerprint="0" * 64)
    with pytest.raises(InputError, match="routehead: the candidate heads: found on another backbone"):
        label_lists(features, lists, stranger, 1)
    other = replace(features, ids=("1",), fingerprint="0" * 64)
    with pytest.raises(InputError, match="a part's features: read from another backbone"):
        join_features([features, other], ["0", "1"])


def test_files_without_a_fingerprint_load_as_before(tmp_path: Path) -> None:
    HeadSet("core", "tiny", 4, 4, ((2, 1),), (1.0,)).save(tmp_path / "heads.json")
    assert "fingerprint" not in json.loads((tmp_path / "heads.json").read_text())
    assert HeadSet.load(tmp_path / "heads.json").fingerprint is None
