"""Attention by blocks of rows and MLPs by chunks of tokens give what the whole gives."""

from __future__ import annotations

import sys

import pytest
import torch
from support import KINDS, checkpoint, tiny_backbone, tiny_prompt
from torch.nn.functional import scaled_dot_product_attention as sdpa

from headrank import chunks, packing
from headrank.backbone import load_backbone
from headrank.blocked import causal_attention, suits
from headrank.chunks import chunk_tokens, in_chunks, turning
from headrank.reading import read_prompts


def states(heads: int, tokens: int, width: int = 16, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(heads * tokens)
    return torch.randn(1, heads, tokens, width, generator=generator).to(dtype)


@pytest.mark.parametrize("tokens", [1, 7, 8, 9, 40])
@pytest.mark.parametrize(("heads", "shared"), [(4, 2), (3, 1), (6, 6)])
def test_blocks_equal_sdpa(heads: int, shared: int, tokens: int):
    q, k, v = states(heads, tokens), states(heads // shared, tokens), states(heads // shared, tokens) * 2
    expected = sdpa(q, k, v, is_causal=True, scale=0.3, enable_gqa=True).transpose(1, 2)
    torch.testing.assert_close(causal_attention(q, k, v, 0.3, rows=8), expected, atol=1e-5, rtol=1e-5)


def test_blocks_in_bfloat16_err_as_sdpa_does():
    q, k, v = (states(h, 300, 64) for h in (8, 4, 4))
    exact = sdpa(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)
    q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
    theirs = (sdpa(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2) - exact).square().mean()
    ours = (causal_attention(q, k, v, 64**-0.5) - exact).square().mean()
    assert ours.sqrt() < 4 * theirs.sqrt()


def test_only_bfloat16_without_gradients_goes_by_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    q = states(2, 3, dtype=torch.bfloat16)
    assert suits(q, 0.0)
    assert not suits(q.float(), 0.0)
    assert not suits(q, 0.1)
    assert not suits(q.clone().requires_grad_(), 0.0)
    with torch.no_grad():
        assert suits(q.clone().requires_grad_(), 0.0)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not suits(q, 0.0)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_pass_by_blocks_and_chunks_reads_the_same_mass(kind: str, monkeypatch: pytest.MonkeyPatch):
    backbone, prompt = tiny_backbone(kind), tiny_prompt(kind)
    heads, sources = backbone.all_heads(), [("query", "query"), ("null", "last")]
    (plain,) = read_prompts(backbone, [prompt], heads, sources)
    used: list[int] = []

    def counted(*arguments):
        used.append(1)
        return causal_attention(*arguments, rows=8)

    monkeypatch.setattr(packing, "suits", lambda query, dropout: True)
    monkeypatch.setattr(packing, "causal_attention", counted)
    monkeypatch.setattr(chunks, "BYTES", {"cpu": 1})
    monkeypatch.setattr(chunks, "STEP", 5)
    names = set(dict(backbone.decoder.named_modules()))
    (other,) = read_prompts(backbone, [prompt], heads, sources)
    assert len(used) == backbone.n_layers - 1
    assert set(dict(backbone.decoder.named_modules())) == names
    for source in sources:
        torch.testing.assert_close(other.mass[source], plain.mass[source], atol=1e-6, rtol=1e-4)


def test_chunks_leave_training_and_short_prompts_alone(monkeypatch: pytest.MonkeyPatch):
    decoder = load_backbone(checkpoint("qwen3")).decoder
    mlp = decoder.layers[0].mlp
    monkeypatch.setattr(chunks, "BYTES", {"cpu": 1})
    monkeypatch.setattr(chunks, "STEP", 5)
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
    assert chunk_tokens(backbone.decoder) * widest <= chunks.BYTES["cpu"]


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_positions_turn_the_same_in_chunks(kind: str):
    decoder = load_backbone(checkpoint(kind)).decoder
    module = sys.modules[type(decoder.layers[0].self_attn).__module__]
    q, k = states(4, 23), states(2, 23)
    cos, sin = torch.randn(1, 23, 16), torch.randn(1, 23, 16)
    expected = module.apply_rotary_pos_emb(q, k, cos, sin)
    turned = turning(module.apply_rotary_pos_emb, 10)(q.clone(), k.clone(), cos, sin)
    assert all(torch.equal(a, b) for a, b in zip(turned, expected, strict=True))


def test_positions_are_turned_as_before_once_a_pass_is_over(monkeypatch: pytest.MonkeyPatch):
    decoder = load_backbone(checkpoint("qwen3")).decoder
    module = sys.modules[type(decoder.layers[0].self_attn).__module__]
    turn = module.apply_rotary_pos_emb
    monkeypatch.setattr(chunks, "BYTES", {"cpu": 1})
    monkeypatch.setattr(chunks, "STEP", 5)
    with torch.no_grad(), in_chunks(decoder, 6):
        assert module.apply_rotary_pos_emb is not turn
    assert module.apply_rotary_pos_emb is turn
