"""Passages read independently (CompRank): against eager attention under the same mask, and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support import KINDS, WINDOWED, eager_model, passages, tiny_backbone

from headrank.data.collections import Document
from headrank.engine.forward import read_prompts
from headrank.engine.packing import Segment
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import Prompt, PromptBuilder
from headrank.rerankers import Candidates, rerank_together, trained
from headrank.settings import EncodingSettings, Settings
from headrank.training.objective import score_list

HEADS = HeadSet("best-layer", "tiny", 4, 4, ((2, 0), (2, 1), (2, 2), (2, 3)), (1.0,) * 4)
SETTINGS = Settings.from_mapping(
    {
        "heads": "best-layer",
        "encoding": {"documents": "independent", "compression": "segment", "keep": 5},
        "loss": {"form": "pointer"},
        "regulariser": {"form": "none"},
    }
)


def build(kind: str = "qwen3", documents: list[Document] | None = None, **encoding: Any) -> Prompt:
    made = PromptBuilder(
        tiny_backbone(kind).tokenizer, encoding=EncodingSettings(**{"documents": "independent", **encoding})
    )
    return made.build("red oak", passages(4) if documents is None else documents)


def eager_masses(kind: str, prompt: Prompt) -> dict[int, torch.Tensor]:
    """Mean attention of the query to the prefix by layer, (heads, prefix), under a mask made token by token."""
    ids = [*prompt.prefix, *prompt.query.ids]
    prefix, opening = len(prompt.prefix), prompt.blocks[0][0]
    kept = set(range(prefix) if prompt.kept is None else prompt.kept)
    block = {i: n for n, (start, stop) in enumerate(prompt.blocks) for i in range(start, stop)}
    longest = max(stop - start for start, stop in prompt.blocks)
    place = [
        i
        if i < opening
        else opening + i - prompt.blocks[block[i]][0]
        if i < prefix
        else opening + longest + i - prefix
        for i in range(len(ids))
    ]
    mask = torch.full((len(ids), len(ids)), float("-inf"))
    for i in range(len(ids)):
        for j in range(i + 1):
            same = j < opening or block.get(i) == block.get(j)
            if (i < prefix and same) or (i >= prefix and (j >= prefix or j in kept)):
                mask[i, j] = 0
    model = eager_model(kind)
    masks: Any = mask[None, None]
    if kind in WINDOWED:
        # Positions decide what is in the window, not places in the sequence.
        at = torch.tensor(place)
        within = at[:, None] - at[None, :] < model.config.sliding_window
        narrow = mask.masked_fill(~within, float("-inf"))[None, None]
        assert narrow.isinf().sum() > masks.isinf().sum()
        types = getattr(model.config, "layer_types", None)
        masks = {"full_attention": masks, "sliding_attention": narrow} if types else narrow
    with torch.no_grad():
        output = model(
            input_ids=torch.tensor([ids]),
            attention_mask=masks,
            position_ids=torch.tensor([place]),
            output_attentions=True,
        )
    start, stop = (prefix + n for n in prompt.query.query)
    return {n: rows[0][:, start:stop, :prefix].mean(dim=1) for n, rows in enumerate(output.attentions)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "encoding", [{}, {"compression": "segment", "keep": 4}, {"compression": "last", "keep": 3}]
)
def test_masses_equal_eager_attention_under_the_same_mask(kind: str, encoding: dict[str, Any]) -> None:
    prompt = build(kind, **encoding)
    backbone = tiny_backbone(kind)
    with torch.no_grad():
        both = [("query", "query"), ("null", "query")]
        reading = next(iter(read_prompts(backbone, [prompt], backbone.all_heads(), both)))
    expected = torch.cat(list(eager_masses(kind, prompt).values()))
    assert expected.std() > 0.001
    torch.testing.assert_close(reading.mass["query", "query"], expected, atol=1e-5, rtol=0)


def test_the_order_of_the_passages_means_nothing() -> None:
    backbone, documents = tiny_backbone("qwen3"), passages(5)
    for encoding in ({}, {"compression": "segment", "keep": 4}):
        settings = Settings.from_mapping({"encoding": {"documents": "independent", **encoding}})
        forth = score_list(backbone, HEADS, build(documents=documents, **encoding), settings)
        back = score_list(backbone, HEADS, build(documents=documents[::-1], **encoding), settings)
        torch.testing.assert_close(forth, back.flip(0), atol=1e-5, rtol=0)
        assert float(forth.detach().std()) > 0.01


def test_segments_keep_the_last_token_of_each() -> None:
    prompt = build(
        documents=[Document("a", "", "x" * 11), Document("b", "", "y"), Document("c", "", "")],
        **{"compression": "segment", "keep": 5},
    )
    (first, second, third) = prompt.text
    assert first[1] - first[0] == 12
    assert prompt.kept is not None
    inside = [i for i in prompt.kept if i >= first[0]]
    assert inside == [first[0] + 4, first[0] + 9, first[0] + 11, second[1] - 1]
    assert third[0] == third[1]
    assert list(prompt.kept[: prompt.blocks[0][0]]) == list(range(prompt.blocks[0][0]))


def test_about_one_token_in_ten_is_kept_of_long_passages() -> None:
    documents = [Document(str(i), "", "word " * 100) for i in range(6)]
    prompt = build(documents=documents, compression="segment", keep=10)
    assert prompt.kept is not None
    inside = len(prompt.kept) - prompt.blocks[0][0]
    assert inside / sum(stop - start for start, stop in prompt.text) == pytest.approx(0.102, abs=0.003)


def test_positions_of_blocks_and_branches() -> None:
    segment = Segment(0, 9, (2, 3), blocks=((2, 5), (5, 9)))
    assert list(segment.positions()) == [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 6, 7, 8]
    assert list(Segment(0, 3, (2, 1)).positions()) == [0, 1, 2, 3, 4, 3]


def test_inference_ranks_by_the_scores_that_training_differentiates() -> None:
    backbone, documents = tiny_backbone("qwen3"), tuple(passages(6))
    builder = PromptBuilder(backbone.tokenizer, encoding=SETTINGS.encoding)
    method = trained(HEADS, SETTINGS, "comprank")
    frame = rerank_together(
        backbone, builder, [method], [Candidates("q", "red oak", documents)], "best-first"
    )["comprank"]
    with torch.no_grad():
        scores = score_list(backbone, HEADS, builder.build("red oak", documents), SETTINGS)
    by_position = frame.sort_values("position")["score"].to_numpy()
    np.testing.assert_allclose(by_position / len(HEADS.heads), np.exp(scores.numpy()), rtol=1e-5)


def test_gradients_reach_the_passages_own_layers() -> None:
    backbone = tiny_backbone("qwen3")
    model: Any = backbone.model
    weight = model.model.layers[0].self_attn.v_proj.weight
    weight.requires_grad_(True)
    try:
        builder = PromptBuilder(backbone.tokenizer, encoding=SETTINGS.encoding)
        scores = score_list(backbone, HEADS, builder.build("red oak", passages(4)), SETTINGS)
        (gradient,) = torch.autograd.grad(scores[0] - scores[1], weight)
    finally:
        weight.requires_grad_(False)
    assert float(gradient.detach().abs().max()) > 0


def test_a_compression_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="keep: 0 is below 1"):
        build(compression="last", keep=0)
