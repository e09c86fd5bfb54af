"""Builds the tokenizer that a GGUF file describes, equal to the one that the model was published with.

transformers builds it from the vocabulary. Three things that decide token ids are corrected or checked here: how text
is split before merges are applied, Unicode normalisation, and which tokens are control tokens.
"""

from __future__ import annotations

from typing import Any

from tokenizers import normalizers, pre_tokenizers

from headrank.engine.gguf.header import TOKENS, Header, read_header
from headrank.errors import InputError

MERGES = "tokenizer.ggml.merges"
# Numbers of kinds of tokens in ``tokenizer.ggml.token_type``.
CONTROL, USER_DEFINED = 3, 4
# Kinds of splitting (``tokenizer.ggml.pre``) as llama.cpp names them: GPT-2's own, and GPT-2's after numbers are split
# into single digits.
_GPT2 = {
    "gpt-2",
    "gpt2",
    "phi-2",
    "roberta-bpe",
    "jina-es",
    "jina-de",
    "jina-v1-en",
    "jina-v2-es",
    "jina-v2-de",
}
_DIGITS_APART = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
# Published with Unicode's canonical composition, which ggml leaves out.
_COMPOSED = {"qwen2", "deepseek-r1-qwen", "qwen35"}
_NAMES = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding", "sep": "seperator", "mask": "mask"}


def read_tokenizer(header: Header) -> Any:
    """A fast tokenizer of transformers.

    Raises InputError if the file holds none, if its way of splitting text is not known here, or if what transformers
    makes of it is not what the file describes.
    """
    from transformers import PreTrainedTokenizerFast

    path = header.path
    whole = read_header(path, (TOKENS, MERGES)).metadata
    if not whole.get(TOKENS):
        raise InputError(f"{path}: holds no tokenizer ({TOKENS} is missing)")
    tokens = whole[TOKENS]
    special = {}
    for name, key in _NAMES.items():
        number = whole.get(f"tokenizer.ggml.{key}_token_id")
        if number is not None:
            if not 0 <= number < len(tokens):
                raise InputError(
                    f"{path}: tokenizer.ggml.{key}_token_id {number} is not within its vocabulary"
                )
            special[f"{name}_token"] = tokens[number]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_backend(header, whole),
        clean_up_tokenization_spaces=False,
        model_max_length=header.own("context_length"),
        chat_template=whole.get("tokenizer.chat_template"),
        # A SentencePiece vocabulary has a BOS token before the text unless the file says otherwise.
        add_bos_token=whole.get("tokenizer.ggml.add_bos_token", whole.get("tokenizer.ggml.model") == "llama"),
        add_eos_token=whole.get("tokenizer.ggml.add_eos_token", False),
        **special,
    )
    _check_tokens(header, whole, tokenizer)
    return tokenizer


def _backend(header: Header, whole: Any) -> Any:
    from transformers.integrations.gguf import (  # type: ignore[attr-defined]
        convert_gguf_tokenizer,
        get_gguf_tokenizer,
    )
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    kind, split = whole.get("tokenizer.ggml.model"), whole.get("tokenizer.ggml.pre")
    if kind == "gpt2" and split not in {*GGUF_PRE_TOKENIZER_SPLITS, *_GPT2, *_DIGITS_APART}:
        # With another splitting, nearly all text gets ids that look right, but numbers and blanks get wrong ones.
        raise InputError(
            f"{header.path}: splits text as {split!r} (tokenizer.ggml.pre), which is not known here"
        )
    try:
        architecture, described, _ = get_gguf_tokenizer(str(header.path))
        backend, _ = convert_gguf_tokenizer(architecture, described)
    except Exception as error:  # the package tokenizers raises nothing more specific
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"{header.path}: its tokenizer cannot be built ({reason or error!r})") from error
    if split in _DIGITS_APART:
        digits = pre_tokenizers.Digits(individual_digits=True)
        gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, gpt2])
    if split in _COMPOSED:
        backend.normalizer = normalizers.NFC()
    prefixed = kind == "llama" and backend.encode("a", add_special_tokens=False).tokens[0].startswith("▁")
    if kind == "llama" and prefixed != whole.get("tokenizer.ggml.add_space_prefix", True):
        raise InputError(
            f"{header.path}: tokenizer.ggml.add_space_prefix is not what transformers makes of it"
        )
    return backend


def _check_tokens(header: Header, whole: Any, tokenizer: Any) -> None:
    """Each token must have its own id, and each control token be known as one: otherwise text could become one."""
    kinds = whole.get("tokenizer.ggml.token_type", ())
    added = tokenizer.get_added_vocab()
    for number, (token, kind) in enumerate(zip(whole[TOKENS], kinds, strict=False)):
        known = added.get(token) if kind in (CONTROL, USER_DEFINED) and token.strip() else number
        if known != number:
            raise InputError(
                f"{header.path}: transformers does not know {token!r} as the added token {number}"
            )
    if len(tokenizer) != len(whole[TOKENS]):
        raise InputError(
            f"{header.path}: its tokenizer has {len(tokenizer)} tokens, and the file lists {len(whole[TOKENS])}"
        )
