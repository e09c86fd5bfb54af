"""The configuration of a model in a GGUF file: what transformers reads of it, and errors for what it ignores."""

from __future__ import annotations

from typing import Any

from headrank.engine.gguf.header import Header
from headrank.errors import InputError

# Tokens that end an answer, besides the one that the file names; llama.cpp does the same for files that name only one.
_ENDS = {"<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>"}
_END_KEYS = ("eos", "eot", "eom")


def known_keys(header: Header) -> set[str]:
    """The architecture's keys that transformers reads; InputError for an architecture that it does not know."""
    from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

    mapping: Any = GGUF_CONFIG_MAPPING
    # ggml writes qwen3moe and gpt-oss where transformers writes qwen3_moe and gpt_oss.
    known = {_plain(name): keys for name, keys in mapping.items() if name not in ("general", "tokenizer")}
    if _plain(header.architecture) not in known:
        raise InputError(
            f"{header.path}: models of architecture {header.architecture!r} are not read from GGUF by transformers;"
            f" known: {', '.join(sorted(known))}"
        )
    return {key for key, name in known[_plain(header.architecture)].items() if name is not None}


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "")


def settle_config(header: Header, config: Any) -> None:
    """Complete a configuration of transformers in place.

    transformers ignores keys that it does not know. Head widths are copied here; any other key that changes the model,
    for instance one about scaled positions, raises an InputError that names it: without the key the model would load,
    but as a different one.
    """
    architecture, read = header.architecture, known_keys(header)
    width = header.own("attention.key_length")
    if width is not None:
        config.head_dim = width
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    harmless = {
        "attention.key_length": width,
        "attention.value_length": width,
        "rope.dimension_count": width,
        "rope.scaling.type": "none",
        "vocab_size": config.vocab_size,
    }
    for key in header.metadata:
        name = key.removeprefix(f"{architecture}.")
        if name == key or name in read or (name in harmless and header.metadata[key] == harmless[name]):
            continue
        raise InputError(f"{header.path}: {key} ({header.metadata[key]}) is not read by transformers")


def answer_ends(header: Header, tokenizer: Any) -> list[int]:
    """Ids of the tokens that end an answer: those that the file names, and control tokens known to mean it."""
    ids = (header.metadata.get(f"tokenizer.ggml.{key}_token_id") for key in _END_KEYS)
    named = {number for number in ids if number is not None}
    return sorted(named | {number for token, number in tokenizer.get_added_vocab().items() if token in _ENDS})
