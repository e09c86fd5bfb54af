"""What a language model is asked: an answer in its own words, the logits of given words, or a text's likelihood.

Prompts of unequal length are batched with padding on the left, under a budget of tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from headrank.engine.backbone import Backbone
from headrank.errors import InputError


@dataclass(frozen=True)
class Ask:
    """One question to the model, with exactly one of new_tokens (an answer of at most this many), words (token ids
    whose logits are wanted) and continuation (token ids whose likelihood is wanted). documents: how many passages it
    holds.
    """

    prompt: tuple[int, ...]
    documents: int
    new_tokens: int = 0
    words: tuple[int, ...] = ()
    continuation: tuple[int, ...] = ()


@dataclass(frozen=True)
class Answer:
    """text: what the model wrote, or its most probable next token; tokens: how many it wrote. logits: of the words;
    says: whether the most probable next token is one of them. likelihood: mean log probability of the continuation.
    """

    text: str = ""
    tokens: int = 0
    logits: tuple[float, ...] = ()
    says: bool = True
    likelihood: float = 0.0


@torch.inference_mode()
def ask_model(backbone: Backbone, asks: Sequence[Ask], batch_tokens: int) -> list[Answer]:
    """Answer questions of one kind, in their order. The backbone must have its full depth and an LM head."""
    answers: list[Answer | None] = [None] * len(asks)
    for places in _batches(asks, batch_tokens):
        batch = [asks[i] for i in places]
        if batch[0].new_tokens:
            found = _write(backbone, batch)
        elif batch[0].words:
            found = _read_words(backbone, batch)
        else:
            found = _likelihoods(backbone, batch)
        for place, answer in zip(places, found, strict=True):
            answers[place] = answer
    return [answer for answer in answers if answer is not None]


def _batches(asks: Sequence[Ask], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of questions that go into one batch, the longest first, so that memory runs out at once or never."""
    lengths = [len(a.prompt) + len(a.continuation) + a.new_tokens for a in asks]
    batch: list[int] = []
    for place in sorted(range(len(asks)), key=lambda i: (-lengths[i], i)):
        if batch and lengths[batch[0]] * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def check_length(backbone: Backbone, ask: Ask, qid: str) -> None:
    """Refuse a prompt that needs more positions than the model has."""
    config: Any = backbone.model.config
    limit = getattr(config, "max_position_embeddings", None)
    needed = len(ask.prompt) + len(ask.continuation) + ask.new_tokens
    if limit is not None and needed > limit:
        raise InputError(
            f"query {qid!r}: a prompt of {needed} tokens, answer included, does not fit the {limit} positions of"
            f" {backbone.name}: cut passages to fewer words or take smaller windows"
        )


def _padded(backbone: Backbone, sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, sequences))
    pad = _pad(backbone)
    device = next(backbone.model.parameters()).device
    ids = torch.tensor([[pad] * (longest - len(s)) + list(s) for s in sequences], device=device)
    mask = torch.tensor([[0] * (longest - len(s)) + [1] * len(s) for s in sequences], device=device)
    return ids, mask


def _pad(backbone: Backbone) -> int:
    token = backbone.tokenizer.pad_token_id
    # The mask hides it, so any id will do.
    return 0 if token is None else int(token)


def _write(backbone: Backbone, batch: Sequence[Ask]) -> list[Answer]:
    model: Any = backbone.model
    ids, mask = _padded(backbone, [a.prompt for a in batch])
    ends = model.generation_config.eos_token_id
    ends = backbone.tokenizer.eos_token_id if ends is None else ends
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max(a.new_tokens for a in batch),
        use_cache=True,
        pad_token_id=_pad(backbone),
        eos_token_id=ends,
    )
    written = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)[:, ids.shape[1] :]
    stops = set(ends if isinstance(ends, list) else [ends])
    answers = []
    for ask, row in zip(batch, written.tolist(), strict=True):
        end = next((i for i, token in enumerate(row) if token in stops), len(row))
        kept = row[: min(end, ask.new_tokens)]
        # The token that ends the answer counts as written.
        tokens = min(end + 1, len(row), ask.new_tokens)
        answers.append(Answer(backbone.tokenizer.decode(kept, skip_special_tokens=True), tokens))
    return answers


def _logits(backbone: Backbone, sequences: Sequence[Sequence[int]], keep: int) -> Tensor:
    """(sequences, keep, vocabulary) float32 logits of the last positions."""
    model: Any = backbone.model
    ids, mask = _padded(backbone, sequences)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    output = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=keep
    )
    found: Tensor = output.logits[:, -keep:].float()
    return found


def _read_words(backbone: Backbone, batch: Sequence[Ask]) -> list[Answer]:
    logits = _logits(backbone, [a.prompt for a in batch], 1)[:, 0]
    answers = []
    for ask, row in zip(batch, logits, strict=True):
        best = int(row.argmax())
        chosen = tuple(row[list(ask.words)].tolist())
        answers.append(Answer(backbone.tokenizer.decode([best]), 1, chosen, best in ask.words))
    return answers


def _likelihoods(backbone: Backbone, batch: Sequence[Ask]) -> list[Answer]:
    longest = max(len(a.continuation) for a in batch)
    logits = _logits(backbone, [(*a.prompt, *a.continuation) for a in batch], longest + 1)
    answers = []
    for ask, row in zip(batch, logits, strict=True):
        count = len(ask.continuation)
        # The logits that predict a token are at the position before it.
        foretold = row[-count - 1 : -1].log_softmax(dim=-1)
        tokens = torch.tensor(ask.continuation, device=row.device)
        answers.append(Answer(likelihood=float(foretold.gather(1, tokens[:, None]).mean())))
    return answers
