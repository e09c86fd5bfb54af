"""Tokenizers of the backbone families: bytes, and the control tokens of each family's chat frame."""

from __future__ import annotations

import re

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from headrank.prompts.builder import FAMILIES

CONTROL = re.compile(r"<[^<>\s]+>|\[/?INST\]")


def family_tokenizer(family: str) -> PreTrainedTokenizerFast:
    """Bytes, the family's control tokens, and a BOS token where the family has one."""
    frame = FAMILIES[family]
    names = list(dict.fromkeys(CONTROL.findall(frame.opening + frame.closing)))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ["<s>", *names]])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>" if frame.bos else None,
        eos_token=names[-1],
        pad_token=names[-1],
        clean_up_tokenization_spaces=False,
    )
