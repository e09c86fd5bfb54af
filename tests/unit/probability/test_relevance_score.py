"""Signals against attention as transformers gives it, and the relevance score that users of ``Reranker`` get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import checkpoint, eager_attention, passages

from headrank import Reranker
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.methods.ready import Ready
from headrank.probability.made_with import made_with
from headrank.probability.probability import Curve, Expected, Probability, falling
from headrank.probability.signals import read_lists
from headrank.rerankers import Candidates

HEADS = HeadSet("qrhead", "tiny", 4, 4, ((2, 1), (0, 3)), (1.0, 0.5))
TEXTS = [document.text for document in passages(11)]
# Of a random model's signals nothing is known: expectation and curve spread them over the probabilities.
EXPECTED, CURVE = Expected(0.0, 0.0, 0.0, 0.0, 0.05), Curve("platt", 1.0, 0.0)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("heads") / "heads.json"
    HEADS.save(path)
    return path


@pytest.fixture(scope="module")
def plain(heads: Path) -> Reranker:
    return Reranker("qrhead", checkpoint("qwen3"), heads=heads, depth=4)


@pytest.fixture(scope="module")
def fitted(plain: Reranker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fitted") / "probability.json"
    Probability(made_with(plain.ready), "ratio", EXPECTED, CURVE).save(path)
    return path


def with_probability(heads: Path, fitted: Path, **options: Any) -> Reranker:
    return Reranker("qrhead", checkpoint("qwen3"), heads=heads, depth=4, probability=fitted, **options)


def test_signals_are_the_attention_that_the_model_pays_as_transformers_gives_it(plain: Reranker) -> None:
    documents = tuple(passages(4))
    ready = plain.ready
    ranking, signals = read_lists(ready, [Candidates("q", "red oak", documents)])
    assert ready.builder is not None
    prompt = ready.builder.build("red oak", documents)
    found = {}
    for branch in (prompt.query, prompt.null):
        weights = eager_attention("qwen3", [*prompt.prefix, *branch.ids])
        # QRHead's rows: from the instruction to the end.
        rows = weights[:, :, len(prompt.prefix) :, : len(prompt.prefix)].mean(dim=2)
        masses = torch.stack(
            [
                torch.stack([rows[layer, head, start:stop].sum() for start, stop in prompt.labelled])
                for layer, head in HEADS.heads
            ]
        )
        found[branch] = (masses + 1e-6).log().mean(dim=0).numpy()
    assert signals["mass"].to_numpy() == pytest.approx(found[prompt.query], abs=1e-4)
    ratio = found[prompt.query] - found[prompt.null]
    assert signals["ratio"].to_numpy() == pytest.approx(ratio, abs=1e-4)
    assert signals["position"].tolist() == [0, 1, 2, 3]
    assert signals["length"].tolist() == [stop - start for start, stop in prompt.text]
    assert set(signals["documents"]) == {4}
    # The ranking is the method's own, although the pass reads more.
    alone = ready.rank([Candidates("q", "red oak", documents)])
    assert ranking["docid"].tolist() == alone["docid"].tolist()
    assert ranking["score"].to_numpy() == pytest.approx(alone["score"].to_numpy(), abs=1e-5)


def test_relevance_scores_are_probabilities_that_fall_with_the_rank(
    plain: Reranker, heads: Path, fitted: Path
) -> None:
    reranker = with_probability(heads, fitted)
    assert reranker.probability is not None
    found = reranker.rank("red oak", TEXTS[:4])
    without = plain.rank("red oak", TEXTS[:4])
    assert [d.index for d in found] == [d.index for d in without]
    assert [d.score for d in found] == pytest.approx([d.score for d in without], abs=1e-5)
    assert {d.relevance_score for d in without} == {None}
    # By hand: the signals' probabilities in the order of the ranking.
    documents = Candidates("query", "red oak", tuple(passages(4)))
    listed = Candidates("query", "red oak", tuple(type(d)(d.docid, "", d.text) for d in documents.documents))
    _, signals = read_lists(reranker.ready, [listed])
    chances = reranker.probability.of(signals)
    expected = falling(chances[[d.index for d in found]])
    assert [d.relevance_score for d in found] == pytest.approx(expected.tolist(), abs=1e-5)
    assert len({round(float(chance), 6) for chance in chances}) == 4


@pytest.mark.parametrize("beyond", ["windows", "tournament", "append"])
def test_long_lists_have_relevance_scores_for_what_was_read(beyond: Any, heads: Path, fitted: Path) -> None:
    found = with_probability(heads, fitted).rank("red oak", TEXTS, beyond=beyond, progress=False)
    scores = [d.relevance_score for d in found if d.reranked]
    assert all(score is not None and 0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    rest = [d.relevance_score for d in found if not d.reranked]
    assert rest == [None] * (7 if beyond == "append" else 0)


def test_a_document_without_text_comes_last_with_no_chance(heads: Path, fitted: Path) -> None:
    found = with_probability(heads, fitted).rank("red oak", [" ", "red oak", ""])
    assert found[0].index == 1
    # QRHead reads labels too, which have tokens even so.
    assert [d.relevance_score for d in found[1:]] == [0.0, 0.0]


def test_another_prompt_or_method_is_refused(heads: Path, fitted: Path) -> None:
    for options, told in (
        ({"truncate_words": 50}, "fitted with words 300, not 50"),
        ({"truncate_tokens": 50}, "fitted with tokens None, not 50"),
        ({"order": "best-last"}, "fitted with order 'best-first', not 'best-last'"),
    ):
        with pytest.raises(InputError, match=f"{fitted.name}: {told}"):
            with_probability(heads, fitted, **options)
    with pytest.raises(InputError, match="fitted with method 'qrhead', not 'core'"):
        Reranker("core", checkpoint("qwen3"), heads=heads, probability=fitted)
    with pytest.raises(InputError, match="fitted on another backbone"):
        Reranker("icr", checkpoint("llama"), probability=fitted)
    with pytest.raises(InputError, match="yes-no: asks the model and reads no attention"):
        Reranker("yes-no", checkpoint("qwen3"), probability=fitted)
    with pytest.raises(InputError, match=r"none\.json: no readable probability"):
        with_probability(heads, fitted.with_name("none.json"))


def made(ready: Ready) -> Probability:
    return Probability(made_with(ready), "mass", EXPECTED, CURVE)


def test_an_adapters_folder_brings_its_probability(tmp_path: Path) -> None:
    from headrank.engine.backbone import load_backbone
    from headrank.settings import Settings, TrainingSettings, to_mapping
    from headrank.training.adapter import attach_lora, save_adapter

    backbone = load_backbone(checkpoint("qwen3"), HEADS.depth)
    torch.manual_seed(3)
    model = attach_lora(backbone, HEADS, TrainingSettings(lora_r=4))
    save_adapter(model, tmp_path / "one", backbone, HEADS, to_mapping(Settings()))
    without = Reranker.load(tmp_path / "one")
    assert without.probability is None
    made(without.ready).save(tmp_path / "one" / "probability.json")
    found = Reranker.load(tmp_path / "one").rank("red oak", TEXTS[:4])
    assert np.isfinite([d.relevance_score for d in found]).all()
    off = Reranker.load(tmp_path / "one", probability=False)
    assert off.probability is None
    # Another adapter of the same heads and model is another method.
    torch.manual_seed(4)
    other = attach_lora(load_backbone(checkpoint("qwen3"), HEADS.depth), HEADS, TrainingSettings(lora_r=2))
    save_adapter(other, tmp_path / "two", backbone, HEADS, to_mapping(Settings()))
    with pytest.raises(InputError, match=r"one/probability\.json: fitted with adapter '.*', not '"):
        Reranker.load(tmp_path / "two", probability=tmp_path / "one" / "probability.json")
