"""Backbones of true shape with random weights: what a pass costs depends on sizes, not on the values of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase, Qwen3Config

from headrank.cost.model_shapes import known_shape
from headrank.engine.attention import IMPLEMENTATION
from headrank.engine.backbone import DTYPES, Backbone
from headrank.errors import InputError, NotFoundError, UsageError


def shape_config(name: str) -> Qwen3Config:
    """The model configuration of a shape; InputError for a name that ``known_shape`` does not know."""
    shape = known_shape(name)
    return Qwen3Config(
        num_hidden_layers=shape.layers,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocabulary,
        max_position_embeddings=40960,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        tie_word_embeddings=True,
    )


def random_backbone(
    name: str,
    tokenizer: PreTrainedTokenizerBase,
    dtype: str = "bfloat16",
    device: str = "cpu",
    layers: int | None = None,
) -> Backbone:
    """A backbone of a named shape with random weights, LM head included; only its first ``layers`` if given."""
    if dtype not in DTYPES or dtype == "auto":
        raise UsageError(f"dtype {dtype!r} is unknown; known: {', '.join(d for d in DTYPES if d != 'auto')}")
    config = shape_config(name)
    if layers is not None:
        config.num_hidden_layers = layers
        config.layer_types = (config.layer_types or [])[:layers]
    if len(tokenizer) > config.vocab_size:
        raise UsageError(f"the tokenizer has {len(tokenizer)} tokens, shape {name} {config.vocab_size}")
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(
            config, dtype=getattr(torch, dtype), attn_implementation=IMPLEMENTATION
        )
    rotary = model.get_decoder().rotary_emb
    model = model.to_empty(device=device)
    # The rotary frequencies are not weights; they come from the configuration.
    model.get_decoder().rotary_emb = type(rotary)(config).to(device)
    model.tie_weights()
    _fill(model)
    model.eval()
    return Backbone(
        name,
        model,
        tokenizer,
        config.num_hidden_layers,
        config.num_attention_heads,
        model.config.num_hidden_layers,
    )


@torch.no_grad()
def _fill(model: nn.Module, block: int = 1 << 20) -> None:
    """Random weights: one block repeated, since drawing billions takes minutes."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(block, generator=generator) * 0.02
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.fill_(1.0)  # norms
            continue
        flat = parameter.view(-1)
        own = values.to(parameter)
        whole = len(flat) // block * block
        flat[:whole].view(-1, block).copy_(own)
        flat[whole:].copy_(own[: len(flat) - whole])


def load_tokenizer(directory: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, chat template included; InputError if there is none."""
    if not Path(directory).is_dir():
        raise NotFoundError(f"{directory}: no such folder")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(directory), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{directory}: no usable tokenizer ({str(error).splitlines()[0][:200]})") from error
    if not tokenizer("a", add_special_tokens=False)["input_ids"]:
        raise InputError(f"{directory}: no usable tokenizer (tokenizer.json)")
    return tokenizer
