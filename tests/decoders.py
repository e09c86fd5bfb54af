"""Random decoders of every type that the installed transformers has, as small as their configurations allow."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from headrank.engine.attention import IMPLEMENTATION

VOCABULARY = 97
WINDOW = 7
# What configurations call their sizes; each takes those that it has.
_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "n_embd": 64,
    "d_model": 64,
    "num_hidden_layers": 4,
    "n_layer": 4,
    "num_layers": 4,
    "num_attention_heads": 4,
    "n_head": 4,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 40,
    "ffn_dim": 40,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 24,
    "moe_shared_expert_intermediate_size": 24,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
    "max_position_embeddings": 512,
    "n_positions": 512,
    "vocab_size_per_layer_input": VOCABULARY,
    "hidden_size_per_layer_input": 0,
    "num_kv_shared_layers": 0,
    "sliding_window": WINDOW,
    "use_sliding_window": True,
    "max_window_layers": 2,
    "attention_chunk_size": WINDOW,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
# Latent attention: keys come from one vector, so that no head shares them, and values are of another width.
_LATENT = {
    "num_key_value_heads": 4,
    "head_dim": 8,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 12,
}


def small_config(kind: str) -> Any:
    """A configuration of a model type with four layers; raises what transformers raises where sizes do not fit."""
    make = CONFIG_MAPPING[kind]
    plain = make()
    known = set(vars(plain)) | set(make.attribute_map)
    sizes = {**_SIZES, **(_LATENT if hasattr(plain, "kv_lora_rank") else {"v_head_dim": 12})}
    return make(**{name: value for name, value in sizes.items() if name in known})


def small_decoder(config: Any) -> Any:
    """A random model in float32, none of its parameters at a value at which it would do nothing."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=IMPLEMENTATION).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.1)
            else:
                parameter.mul_(0.6).add_(torch.randn_like(parameter), alpha=0.15)
    return model
