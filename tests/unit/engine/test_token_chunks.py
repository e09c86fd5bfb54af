"""MLPs, norms and positions by chunks of tokens give what the whole gives."""

from __future__ import annotations

import sys

import pytest
import torch
from support import KINDS, checkpoint, tiny_backbone, tiny_prompt

from headrank.engine import token_chunks
from headrank.engine.backbone import load_backbone
from headrank.engine.forward import read_prompts
from headrank.engine.token_chunks import chunk_tokens, in_chunks, turning


def states(heads: int, tokens: int) -> torch.Tensor:
    return torch.randn(1, heads, tokens, 16, generator=torch.Generator().manual_seed(heads * tokens))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_pass_by_chunks_reads_the_same_mass(kind: str, monkeypatch: pytest.MonkeyPatch):
    backbone, prompt = tiny_backbone(kind), tiny_prompt(kind)
    heads, sources = backbone.all_heads(), [("query", "query"), ("null", "last")]
    (plain,) = read_prompts(backbone, [prompt], heads, sources)
    monkeypatch.setattr(token_chunks, "BYTES", {"cpu": 1})
    monkeypatch.setattr(token_chunks, "STEP", 5)
    names = set(dict(backbone.decoder.named_modules()))
    (other,) = read_prompts(backbone, [prompt], heads, sources)
    assert set(dict(backbone.decoder.named_modules())) == names
    for source in sources:
        torch.testing.assert_close(other.mass[source], plain.mass[source], atol=1e-6, rtol=1e-4)


def test_chunks_leave_training_and_short_prompts_alone(monkeypatch: pytest.MonkeyPatch):
    decoder = load_backbone(checkpoint("qwen3")).decoder
    mlp = decoder.layers[0].mlp
    monkeypatch.setattr(token_chunks, "BYTES", {"cpu": 1})
    monkeypatch.setattr(token_chunks, "STEP", 5)
    assert chunk_tokens(decoder) == 5
    with in_chunks(decoder, 6):
        assert decoder.layers[0].mlp is mlp
    with torch.no_grad():
        with in_chunks(decoder, 5):
            assert decoder.layers[0].mlp is mlp
        with in_chunks(decoder, 6):
            assert decoder.layers[0].mlp is not mlp
            sizes: list[int] = []
            mlp.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[1]))
            hidden = torch.randn(1, 12, 48)
            torch.testing.assert_close(decoder.layers[0].mlp(hidden), mlp(hidden))
            assert sizes == [5, 5, 2, 12]
        assert decoder.layers[0].mlp is mlp


def test_a_chunk_s_memory_is_bounded():
    backbone = tiny_backbone("qwen3")
    width = next(backbone.decoder.parameters()).element_size()
    widest = backbone.decoder.config.intermediate_size * width
    assert chunk_tokens(backbone.decoder) * widest <= token_chunks.BYTES["cpu"]


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_positions_turn_the_same_in_chunks(kind: str):
    decoder = load_backbone(checkpoint(kind)).decoder
    module = sys.modules[type(decoder.layers[0].self_attn).__module__]
    q, k = states(4, 23), states(2, 23)
    # Most architectures say each frequency twice.
    width = 8 if kind == "gpt-oss" else 16
    cos, sin = torch.randn(1, 23, width), torch.randn(1, 23, width)
    expected = module.apply_rotary_pos_emb(q, k, cos, sin)
    turned = turning(module.apply_rotary_pos_emb, 10)(q.clone(), k.clone(), cos, sin)
    assert all(torch.equal(a, b) for a, b in zip(turned, expected, strict=True))


def test_positions_are_turned_as_before_once_a_pass_is_over(monkeypatch: pytest.MonkeyPatch):
    decoder = load_backbone(checkpoint("qwen3")).decoder
    module = sys.modules[type(decoder.layers[0].self_attn).__module__]
    turn = module.apply_rotary_pos_emb
    monkeypatch.setattr(token_chunks, "BYTES", {"cpu": 1})
    monkeypatch.setattr(token_chunks, "STEP", 5)
    with torch.no_grad(), in_chunks(decoder, 6):
        assert module.apply_rotary_pos_emb is not turn
    assert module.apply_rotary_pos_emb is turn
