"""Logits of a model in 16 bits: as those that float32 makes of the same states, and the model is left as it was."""

from __future__ import annotations

import pytest
import torch
from support import checkpoint, passages

from headrank.engine.backbone import load_backbone
from headrank.generative.lm_head import exact_head
from headrank.generative.settings import GenerativeSettings
from headrank.methods.ask import rerank_asked
from headrank.rerankers import Candidates

IDS = torch.arange(40)[None] % 250


@pytest.mark.parametrize("kind", ["qwen3", "gemma2", "granite"])
def test_logits_are_what_float32_makes_of_the_states(kind: str) -> None:
    """With what the model does to its logits afterwards: Gemma 2 caps them, Granite divides them."""
    model = load_backbone(checkpoint(kind), dtype="bfloat16").model
    wide = load_backbone(checkpoint(kind), dtype="float32").model
    with torch.inference_mode():
        states = model.get_decoder()(input_ids=IDS).last_hidden_state
        with exact_head(model):
            found = model(input_ids=IDS).logits
        rounded = model(input_ids=IDS).logits
        head = wide.get_output_embeddings().weight.to(torch.bfloat16).float()
        expected = states.float() @ head.T
    config = model.config
    expected = expected / getattr(config, "logits_scaling", 1.0)
    if cap := getattr(config, "final_logit_softcapping", None):
        expected = cap * torch.tanh(expected / cap)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-5)
    # Without it, and so once more after it, logits are rounded.
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - expected).abs().max() > 1e-4


def test_in_float32_nothing_is_replaced() -> None:
    model = load_backbone(checkpoint("qwen3")).model
    head = model.get_output_embeddings()
    with exact_head(model):
        assert "forward" not in vars(head)


def test_a_model_that_fails_keeps_its_own_head() -> None:
    model = load_backbone(checkpoint("qwen3"), dtype="bfloat16").model
    with pytest.raises(IndexError), exact_head(model):
        model(input_ids=torch.tensor([[10**6]]))
    assert "forward" not in vars(model.get_output_embeddings())


def test_passages_of_a_pointwise_method_do_not_tie_in_16_bits() -> None:
    """With logits that have much in common, as those of real models have: they are far from 0, and differ by little."""
    backbone = load_backbone(checkpoint("qwen3"), dtype="bfloat16")
    weight = backbone.model.get_output_embeddings().weight.data
    weight.copy_(0.1 * weight + 30 * weight.float().mean(dim=0) + weight.float().std())
    c = Candidates("q", "red oak", tuple(passages(30)))
    ranking, _ = rerank_asked("yes-no", backbone, [c], GenerativeSettings())
    assert ranking["score"].nunique() == 30
