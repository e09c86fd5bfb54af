"""Small GGUF files written from tiny checkpoints, as llama.cpp's converter writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file
from support import byte_tokenizer, tiny_config, write_checkpoint

NAMES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
# Two bytes that no text of the tests holds, merged: a file has to have merges.
MERGE = ("Ā", "ā")
# Rows of whole blocks of 32, which Q8_0 needs, and one token more than there are bytes and control tokens.
SIZES = {"intermediate_size": 96, "vocab_size": len(byte_tokenizer()) + 1}
WIDTHS = {"qwen3": {"hidden_size": 64}}


def float_checkpoint(directory: Path, kind: str, seed: int = 0) -> Path:
    """A tiny random checkpoint in float32, wide enough for blocks of quantised values."""
    return write_checkpoint(directory, gguf_config(kind), seed)


def gguf_config(kind: str) -> Any:
    """The configuration of a tiny checkpoint that is as good in a GGUF file."""
    return tiny_config(kind, layers=3, **SIZES, **WIDTHS.get(kind, {}))


def write_gguf(checkpoint: Path, target: Path, kind: str, type_: Type = Type.F32, **changes: Any) -> Path:
    """Write a checkpoint's weights and tokenizer into a GGUF file; matrices in ``type_``, vectors in float32.

    changes: keys of the metadata to add or to replace; None leaves one out. Tokens of the vocabulary, merges and kinds
    of tokens are keys like others.
    """
    config = gguf_config(kind)
    writer = gguf.GGUFWriter(target, NAMES[kind])
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    tokenizer = byte_tokenizer()
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    added = tokenizer.added_tokens_decoder
    kinds = [(3 if added[i].special else 4) if i in added else 1 for i in range(len(tokens) + 1)]
    own = NAMES[kind]
    metadata: dict[str, Any] = {
        f"{own}.block_count": config.num_hidden_layers,
        f"{own}.context_length": config.max_position_embeddings,
        f"{own}.embedding_length": config.hidden_size,
        f"{own}.feed_forward_length": config.intermediate_size,
        f"{own}.attention.head_count": heads,
        f"{own}.attention.head_count_kv": kv_heads,
        f"{own}.rope.freq_base": float(config.rope_parameters["rope_theta"]),
        f"{own}.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": [*tokens, "".join(MERGE)],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": [" ".join(MERGE)],
        "tokenizer.ggml.eos_token_id": tokenizer.eos_token_id,
        "tokenizer.ggml.padding_token_id": tokenizer.pad_token_id,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}",
    }
    if kind == "qwen3":
        metadata |= {f"{own}.attention.key_length": config.head_dim}
    for key, value in {**metadata, **changes}.items():
        _add(writer, key, value)
    mapping = gguf.get_tensor_name_map(gguf.MODEL_ARCH[own.upper()], config.num_hidden_layers)
    for name, tensor in load_file(checkpoint / "model.safetensors").items():
        values = tensor.float().numpy()
        if kind == "llama" and ".q_proj." in name:
            values = _permuted(values, heads)
        if kind == "llama" and ".k_proj." in name:
            values = _permuted(values, kv_heads)
        stem, _, leaf = name.rpartition(".")
        stored = type_ if values.ndim > 1 else Type.F32
        place = f"{mapping.get_name(stem)}.{leaf}"
        writer.add_tensor(place, gguf.quants.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp turns neighbours of a head's width where transformers turns its halves."""
    rows = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return rows.swapaxes(1, 2).reshape(weights.shape)


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if value is None:
        return
    kinds = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    kinds.get(type(value), writer.add_array)(key, value)
