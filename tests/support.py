"""Tiny checkpoints and small made-up data that several test modules share.

Checkpoints are real Hugging Face folders of random decoders with grouped-query attention and a byte-level tokenizer,
written once per session to a directory that goes away with the process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from headrank.data.collections import Document
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.features import Features
from headrank.heads.head_set import HeadSet
from headrank.heads.judged import Judged
from headrank.methods.table import CRITERIA
from headrank.prompts.builder import Prompt, PromptBuilder
from headrank.settings import BaselineSettings, Settings

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()

# Plain causal attention in all layers.
PLAIN = ("qwen3", "llama", "mistral", "qwen2", "granite")
# Windows shorter than prompts: in every layer, or in every second one, with a soft cap (gemma2), with positions of
# their own (gemma3), with sinks (gpt-oss).
WINDOWED = ("mistral-window", "gemma2", "gemma3", "gpt-oss")
KINDS = (*PLAIN, *WINDOWED)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Added to Qwen3's vocabulary without being special.
ADDED = ("<think>", "</think>")
_scratch = tempfile.TemporaryDirectory(prefix="headrank-tests-")


@cache
def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, and the chat's control tokens behind them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    backend.add_tokens([AddedToken(t, special=False, normalized=False) for t in ADDED])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        clean_up_tokenization_spaces=False,
    )


# How tokenizers of SentencePiece's kind mark a word's beginning: before every section of a text, or before its first.
SCHEMES = ("prepend", "always", "first")


@cache
def marking_tokenizer(scheme: str) -> PreTrainedTokenizerFast:
    """As Llama 2's and Mistral's: a letter after a blank, or at the beginning of a text, is a token with a mark."""
    letters = [chr(i) for i in range(33, 127)]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), "▁", *letters]
    words = ["Yes", "No", "yes", "no", *(c for c in letters if c.isalpha() or c in "[<")]
    merges: list[tuple[str, str]] = []
    for word in words:
        merges += [(word[:i], word[i]) for i in range(1, len(word))]
    merges += [("▁", word) for word in words]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys([*pieces, *map("".join, merges)]))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True))
    if scheme == "prepend":
        steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        backend.normalizer = normalizers.Sequence(steps)
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        clean_up_tokenization_spaces=False,
    )


def control_ids(tokenizer: Any) -> set[int]:
    """Ids that text must never become: the added tokens, special or not, except for the one of unknown text."""
    return set(tokenizer.get_added_vocab().values()) - {tokenizer.unk_token_id}


def tiny_config(kind: str, layers: int = 4, **changes: Any) -> Any:
    """Configuration of a random decoder whose attention is far from uniform (hence the wide initial weights)."""
    common: dict[str, Any] = {
        "vocab_size": len(byte_tokenizer()),
        "num_hidden_layers": layers,
        "intermediate_size": 80,
        "initializer_range": 0.15,
        "max_position_embeddings": 4096,
    }
    own: dict[str, tuple[str, dict[str, Any]]] = {
        # query heads / key heads: 2, 3, 4, 4, 2, and 2 for all others
        "qwen3": (
            "Qwen3Config",
            {"hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16},
        ),
        "llama": ("LlamaConfig", {"hidden_size": 96, "num_attention_heads": 6, "num_key_value_heads": 2}),
        "mistral": (
            "MistralConfig",
            {"hidden_size": 64, "num_attention_heads": 8, "num_key_value_heads": 2, "sliding_window": None},
        ),
        "qwen2": ("Qwen2Config", {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 1}),
        "granite": (
            "GraniteConfig",
            # Granite scales logits by its own factor instead of head_dim ** -0.5.
            {
                "hidden_size": 64,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "attention_multiplier": 0.4,
            },
        ),
    }
    windowed: dict[str, Any] = {
        "hidden_size": 48,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "sliding_window": 11,
    }
    in_turn = {"layer_types": [("sliding_attention", "full_attention")[i % 2] for i in range(layers)]}
    own |= {
        # In no layer does the query see more than the last passages: a wider window, that it sees any.
        "mistral-window": ("MistralConfig", {**windowed, "sliding_window": 160}),
        # A soft cap and a scale at which some products are bent.
        "gemma2": (
            "Gemma2Config",
            {**windowed, **in_turn, "attn_logit_softcapping": 2.0, "query_pre_attn_scalar": 4},
        ),
        "gemma3": ("Gemma3TextConfig", {**windowed, **in_turn, "query_pre_attn_scalar": 24}),
        "gpt-oss": (
            "GptOssConfig",
            {**windowed, **in_turn, "num_local_experts": 4, "num_experts_per_tok": 2},
        ),
    }
    name, sizes = own[kind]
    return getattr(transformers, name)(**{**common, **sizes, **changes})


def write_checkpoint(directory: Path, config: Any, seed: int = 0) -> Path:
    """Save a random model of a configuration, with the byte tokenizer."""
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config).float().save_pretrained(directory)
    byte_tokenizer().save_pretrained(directory)
    return directory


@cache
def checkpoint(kind: str, layers: int = 4, seed: int = 0) -> Path:
    """The folder of a tiny checkpoint."""
    directory = Path(_scratch.name) / f"{kind}-{layers}-{seed}"
    return write_checkpoint(directory, tiny_config(kind, layers), seed)


@cache
def tiny_backbone(kind: str, depth: int | None = None) -> Backbone:
    """A tiny backbone, shared: tests must not change it."""
    return load_backbone(checkpoint(kind), depth=depth)


@cache
def eager_model(kind: str) -> Any:
    """The same weights under transformers' eager attention: the engine's oracle."""
    return AutoModelForCausalLM.from_pretrained(
        checkpoint(kind), attn_implementation="eager", dtype=torch.float32
    ).eval()


@torch.no_grad()
def eager_attention(kind: str, ids: Sequence[int]) -> torch.Tensor:
    """(layers, heads, tokens, tokens) attention weights of one sequence."""
    output = eager_model(kind)(input_ids=torch.tensor([list(ids)]), output_attentions=True, use_cache=False)
    return torch.stack([layer[0] for layer in output.attentions])


@contextmanager
def count_calls(modules: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    """How often each module's forward is entered."""
    calls = dict.fromkeys(modules, 0)

    def counter(name: str) -> Callable[..., None]:
        def count(*_: Any) -> None:
            calls[name] += 1

        return count

    handles = [module.register_forward_pre_hook(counter(name)) for name, module in modules.items()]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def builder(kind: str = "qwen3", **prompt: Any) -> PromptBuilder:
    """A prompt builder of a tiny backbone's tokenizer, in Qwen3's frame."""
    return PromptBuilder(tiny_backbone(kind).tokenizer, Settings.from_mapping({"prompt": prompt}).prompt)


def passages(count: int, words: int = 3, seed: int = 0) -> list[Document]:
    """Documents d0, d1, ... of random words and unequal lengths, every third with a title."""
    vocabulary = ["red", "green", "blue", "oak", "elm", "stone", "river", "cloud"]
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(vocabulary, words + i % 3)) for i in range(count)]
    return [Document(f"d{i}", "A title" if i % 3 == 0 else "", text) for i, text in enumerate(texts)]


def tiny_prompt(kind: str = "qwen3", count: int = 4, query: str = "red oak", seed: int = 0) -> Prompt:
    """A prompt over ``count`` random passages."""
    return builder(kind).build(query, passages(count, seed=seed))


def choose_heads(
    criterion: str,
    features: Features,
    lists: pd.DataFrame,
    provenance: Mapping[str, Any] | None = None,
    **baselines: Any,
) -> HeadSet:
    """Heads by a criterion of the table of methods, with these settings of ``baselines``."""
    settings = Settings(baselines=BaselineSettings(**baselines))
    return CRITERIA[criterion].choose(Judged(features, lists, settings, provenance or {}))


def lists_frame(grades: Sequence[Sequence[int]], qids: Sequence[str] | None = None) -> pd.DataFrame:
    """Training lists with the given grades by position; one sample each of its own query unless ``qids`` says else."""
    names = list(qids) if qids is not None else [f"q{i}" for i in range(len(grades))]
    rows = [
        (i, names[i], names[:i].count(names[i]), position, f"d{position}", grade, position)
        for i, row in enumerate(grades)
        for position, grade in enumerate(row)
    ]
    return pd.DataFrame(rows, columns=["list_id", "qid", "sample", "position", "docid", "grade", "rank"])


def made_up_features(
    masses: Any,
    n_layers: int,
    n_heads: int,
    lengths: Any = None,
    token_entropy: Any = None,
    null: Any = None,
) -> Features:
    """Features with given (lists, heads, documents) masses under every method's name, and their sums by layer."""
    masses = np.asarray(masses, dtype=np.float32)
    lists, heads, documents = masses.shape
    assert heads == n_layers * n_heads
    values = dict.fromkeys(("headrank", "qrhead", "core"), masses)
    values["null"] = np.asarray(np.ones_like(masses) if null is None else null, dtype=np.float32)
    values["icr_layers"] = masses.reshape(lists, n_layers, n_heads, documents).sum(axis=2)
    values["lengths"] = np.asarray(
        np.ones((lists, documents)) if lengths is None else lengths, dtype=np.float32
    )
    values["token_entropy"] = np.asarray(
        np.zeros((lists, heads)) if token_entropy is None else token_entropy, dtype=np.float32
    )
    return Features("made-up", n_layers, n_heads, tuple(map(str, range(lists))), values)
