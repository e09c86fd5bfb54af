"""What explains a ranking adds up to its scores: for every method, with and without calibration, trained and not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import checkpoint, passages

from headrank.data.collections import Document
from headrank.engine.backbone import load_backbone
from headrank.engine.readout import read_out
from headrank.errors import UsageError
from headrank.explain.account import account_of
from headrank.explain.rank import rank_explained
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router
from headrank.methods.entry import Asked
from headrank.methods.ready import Ready, make_ready
from headrank.methods.request import Request
from headrank.methods.table import FROZEN, METHODS
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.headrank import headrank
from headrank.rerankers.reattn import reattn
from headrank.settings import Settings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter

HEADS = HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 2), (2, 0)), (1.0, 0.5, 0.4))
# One without text, one of one letter, one that is cut.
DOCUMENTS = (
    *passages(5),
    Document("empty", "", " "),
    Document("letter", "", "x"),
    Document("long", "", "oak " * 30),
)
LIST = Candidates("q", "Red oaks of the river", DOCUMENTS)

TRAINED: dict[str, dict[str, dict[str, Any]]] = {
    "log-mean": {},
    "mean-log": {"loss": {"score": "mean-log"}},
    "ratio": {"mass": {"calibration": "ratio"}},
    "ratio, mean-log": {"mass": {"calibration": "ratio", "length_alpha": 0.5}, "loss": {"score": "mean-log"}},
    "difference and mask": {"inference": {"calibrate": True, "outlier_mask": True}},
    "shuffled, all rows": {"candidates": {"order": "shuffled"}, "query_span": "instruction+query+suffix"},
    "qrranker": {"loss": {"form": "group-contrastive", "score": "mass"}, "mass": {"length_alpha": 0.5}},
    "comprank": {
        "encoding": {"documents": "independent", "compression": "segment", "keep": 3},
        "loss": {"form": "pointer"},
    },
}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head set and a router that takes some of three heads."""
    folder = tmp_path_factory.mktemp("parts")
    HEADS.save(folder / "heads.json")
    numbers = (torch.zeros(48), torch.ones(48), torch.ones(2, 48), torch.tensor([[9.0, 9], [-9, -9], [9, 9]]))
    Router(HEADS, 1, 1, 0.5, *numbers, torch.zeros(3)).save(folder / "router.safetensors")
    return folder


def adapter(folder: Path, settings: dict[str, dict[str, Any]]) -> str:
    backbone = load_backbone(checkpoint("qwen3"), depth=HEADS.depth)
    given = Settings.from_mapping(settings)
    torch.manual_seed(7)
    model = attach_lora(backbone, HEADS, given.training)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.1)
    save_adapter(model, folder, backbone, HEADS, to_mapping(given))
    return str(folder)


def adds_up(ready: Ready) -> dict[str, float]:
    """Check one list's explanations against its ranking; returns the scores."""
    frame, found = rank_explained(ready, [LIST])
    expected = ready.rank([LIST])
    assert frame.to_dict("list") == expected.to_dict("list")
    scores = dict(zip(expected["docid"], expected["score"], strict=True))
    positions = dict(zip(expected["docid"], expected["position"], strict=True))
    assert {docid for _, docid in found} == set(scores) == {d.docid for d in DOCUMENTS}
    for (_, docid), one in found.items():
        assert one.position == positions[docid]
        assert one.weights.shape == one.attention.shape == (len(one.heads), len(one.tokens))
        assert len(one.spans) == len(one.tokens)
        for span in one.spans:
            assert span.part != "text" or span.token == one.text[span.start : span.stop]
        parts = sum(span.weight for span in one.spans) + one.rest.sum()
        size = np.abs(one.weights).sum() + np.abs(one.rest).sum()
        assert parts == pytest.approx(one.values.sum(), abs=1e-12 * max(size, 1))
        whole = np.log(one.values).sum() if one.logarithm else parts
        # The score is a float32 sum of numbers of both signs.
        size = np.abs(np.log(one.values)).sum() if one.logarithm else size
        assert whole == pytest.approx(scores[docid], abs=2e-6 * size + 1e-9)
        assert one.score == scores[docid]
        assert one.additions.sum() == pytest.approx(whole)
    told = account_of(ready.method)  # type: ignore[arg-type]
    assert any("logarithms" in line for line in told) == next(iter(found.values())).logarithm
    return scores


@pytest.mark.parametrize("name", [name for name, entry in FROZEN.items() if not entry.studies_only])
def test_every_frozen_method_adds_up(name: str, parts: Path) -> None:
    needs = FROZEN[name]
    heads = parts / ("router.safetensors" if needs.routed else "heads.json")
    request = Request(
        name, backbone=str(checkpoint("qwen3")), heads=str(heads) if needs.routed or needs.head_set else None
    )
    request.check()
    adds_up(make_ready(request, device="cpu"))


@pytest.mark.parametrize("name", TRAINED)
def test_every_kind_of_adapter_adds_up_before_and_after_training(name: str, tmp_path: Path) -> None:
    request = Request(adapter=adapter(tmp_path / "adapter", TRAINED[name]))
    after = adds_up(make_ready(request, device="cpu"))
    before = adds_up(make_ready(request, device="cpu", untrained=True))
    # Without the adapter's weights it is the base that ranks.
    assert before != after
    settings = Settings.from_mapping(TRAINED[name])
    if settings.encoding.documents == "joint" and not settings.inference.calibrate and name != "qrranker":
        method = headrank(HEADS, settings)
        assert method.kernel.sources == read_out(settings).sources


def test_a_router_s_unused_heads_are_left_out(parts: Path) -> None:
    request = Request("routehead", backbone=str(checkpoint("qwen3")), heads=str(parts / "router.safetensors"))
    _, found = rank_explained(make_ready(request, device="cpu"), [LIST])
    heads = {one.heads for one in found.values()}
    assert len(heads) == 1
    assert 0 < len(next(iter(heads))) < 3


@pytest.mark.parametrize("name", [name for name, entry in METHODS.items() if isinstance(entry, Asked)])
def test_a_method_that_asks_the_model_is_refused_in_a_line(name: str) -> None:
    ready = Ready(name, name, None, Settings(), lambda _: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match=f"^{name}: asks the model .* reads no attention") as caught:
        rank_explained(ready, [LIST])
    assert "\n" not in str(caught.value)


def test_a_multiple_of_logarithms_is_refused(parts: Path) -> None:
    request = Request("icr-ratio", backbone=str(checkpoint("qwen3")))
    ready = make_ready(request, device="cpu")
    assert ready.method is not None
    assert ready.builder is not None
    lifted = reattn(ready.method, ready.builder)
    strange = Ready("x", "x", ready.backbone, ready.settings, ready.rank, ready.builder, lifted)
    with pytest.raises(UsageError, match="no parts that add up"):
        rank_explained(strange, [LIST])
