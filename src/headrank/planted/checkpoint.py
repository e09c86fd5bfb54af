"""An untrained Qwen3 model whose weights are set elsewhere, and saving it as a Hugging Face checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from headrank.data.atomic import whole_folder, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM


class ModelShape(Protocol):
    """What a spec says about the model's sizes."""

    @property
    def seed(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def hidden(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def kv_heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def intermediate(self) -> int: ...
    @property
    def rope_theta(self) -> float: ...


def blank_model(shape: ModelShape, vocabulary: int, positions: int) -> Qwen3ForCausalLM:
    """A float32 Qwen3 of the given shape, whose weights are still to be set."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=True,
        bos_token_id=None,
    )
    # The random weights are overwritten later; the fork keeps the caller's random state as it is.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(shape.seed)
        found: Qwen3ForCausalLM = Qwen3ForCausalLM(config).eval().float()
        return found


def save_checkpoint(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    truth: Mapping[str, Any],
    directory: str | Path,
) -> None:
    """Write model, tokenizer and ``truth`` (as planted.json); the directory appears whole or not at all."""
    for config in (model.config, model.generation_config):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    with whole_folder(directory) as made:
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
        write_json(made / "planted.json", dict(truth))
