"""A real fast tokenizer for a given list of words: byte-level, with every known word as one token.

It works as Qwen's does (byte-level pieces, a word carries its leading space) with whole words instead of learnt
merges. Any other text falls back to bytes, so that nothing is lost and nothing is unknown. The chat tokens are added
tokens and not part of the plain vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

PAD, OPEN, CLOSE = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
# Words of the prompt around passages and query.
FRAME = (
    *("Here", "are", "some", "paragraphs", "Please", "find", "information", "that", "relevant", "to", "the"),
    *("following", "query", "in", "above", "Query", "user", "assistant", "system"),
)
LABELS = 100
PIECES = Regex(r"\[\d{1,3}\]| ?\p{L}+|\n+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tokenizer(words: Iterable[str], labels: int = LABELS) -> PreTrainedTokenizerFast:
    """The tokenizer that knows ``words``, each with and without a leading space, in sorted order.

    Words that are not all letters cannot be pieces of their own and are left to bytes. The labels "[1]" to
    "[``labels``]" are one token each.
    """
    alphabet = sorted(ByteLevel.alphabet())
    known = sorted({word for word in words if word.isalpha() and word.isascii()} | set(FRAME))
    pieces = [*alphabet, "ĊĊ", *(f"[{i}]" for i in range(1, labels + 1))]
    pieces += [prefix + word for word in known for prefix in ("", "Ġ")]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = Sequence(
        [Split(PIECES, behavior="isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in (PAD, OPEN, CLOSE)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=CLOSE,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
    )


def spellings(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """For each token id the first id that spells the same word, ignoring a leading space and capitals."""
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    first: dict[str, int] = {}
    return [first.setdefault(token.removeprefix("Ġ").lower() or token, i) for i, token in enumerate(tokens)]


def wordless(tokenizer: PreTrainedTokenizerBase, words: Iterable[str]) -> list[int]:
    """Ids of the tokens that spell none of ``words``: bytes, labels, the prompt's frame, control tokens."""
    known = {prefix + word for word in words for prefix in ("", "Ġ")} - {
        p + w for w in FRAME for p in ("", "Ġ")
    }
    return [
        i
        for i, token in enumerate(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
        if token not in known
    ]
