"""A tiny encoder of random weights, in the architecture of granite-embedding-30m-english."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from support import byte_tokenizer


def write_encoder(directory: Path) -> Path:
    """Save a RoBERTa with the byte tokenizer."""
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=len(byte_tokenizer()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        # Positions begin behind the padding token's number.
        max_position_embeddings=400,
        type_vocab_size=1,
        pad_token_id=byte_tokenizer().pad_token_id,
        initializer_range=0.5,
    )
    transformers.RobertaModel(config).save_pretrained(directory)
    byte_tokenizer().save_pretrained(directory)
    return directory
