"""What a language model is asked: an answer in its own words, the logits of given words, or a text's likelihood.

Prompts of unequal length are batched with padding on the left, under a budget of tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from headrank.engine.backbone import Backbone
from headrank.engine.finite import NotFinite, not_finite
from headrank.engine.rotary_lengths import frequencies, most_positions, restore_rotary
from headrank.errors import InputError
from headrank.generative.answers import stems
from headrank.generative.lm_head import exact_head
from headrank.generative.parse import THOUGHT


@dataclass(frozen=True)
class Ask:
    """One question to the model, with exactly one of new_tokens (an answer of at most this many), words (the answers
    whose logits are wanted, each as token ids) and continuation (token ids whose likelihood is wanted). documents: how
    many passages it holds.
    """

    prompt: tuple[int, ...]
    documents: int
    new_tokens: int = 0
    words: tuple[tuple[int, ...], ...] = ()
    continuation: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        """How many tokens the model reads and writes for it, at most."""
        word = max(map(len, self.words), default=1) - 1
        return len(self.prompt) + len(self.continuation) + self.new_tokens + word


@dataclass(frozen=True)
class Answer:
    """text: what the model wrote, or its most probable next tokens; tokens: how many it wrote. logits: of the words,
    or, if a word has several tokens, log probabilities of all words; says: whether the most probable next tokens are
    one of them. likelihood: mean log probability of the continuation. finite: whether the model's numbers are.
    """

    text: str = ""
    tokens: int = 0
    logits: tuple[float, ...] = ()
    says: bool = True
    likelihood: float = 0.0
    finite: bool = True

    @property
    def chooses(self) -> bool:
        """Whether the most probable tokens are one of the words, and the words' logits not all the same."""
        return self.says and (len(self.logits) < 2 or len(set(self.logits)) > 1)


@torch.inference_mode()
def ask_model(backbone: Backbone, asks: Sequence[Ask], batch_tokens: int) -> list[Answer]:
    """Answer questions of one kind, in their order. The backbone must have its full depth and an LM head."""
    answers: list[Answer | None] = [None] * len(asks)
    for places in _batches(backbone, asks, batch_tokens):
        batch = [asks[i] for i in places]
        restore_rotary(backbone.decoder)
        if batch[0].new_tokens:
            found = _write(backbone, batch)
        elif batch[0].words:
            found = _read_words(backbone, batch)
        else:
            found = _likelihoods(backbone, batch)
        for place, answer in zip(places, found, strict=True):
            answers[place] = answer
    return [answer for answer in answers if answer is not None]


def _batches(backbone: Backbone, asks: Sequence[Ask], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of questions that go into one batch, the longest first, so that memory runs out at once or never.

    Texts whose rotary positions would differ when read alone go into separate batches.
    """
    lengths = [ask.length for ask in asks]
    kinds = [frequencies(backbone.decoder.config, ask.length - ask.new_tokens) for ask in asks]
    batch: list[int] = []
    for place in sorted(range(len(asks)), key=lambda i: (-lengths[i], i)):
        full = batch and lengths[batch[0]] * (len(batch) + 1) > batch_tokens
        if batch and (full or kinds[place] != kinds[batch[0]]):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def check_length(backbone: Backbone, ask: Ask, qid: str) -> None:
    """Refuse a prompt that needs more positions than the model has."""
    limit = most_positions(backbone.model.config)
    if ask.length > limit:
        raise InputError(
            f"query {qid!r}: a prompt of {ask.length} tokens, answer included, does not fit the {limit:.0f} positions"
            f" of {backbone.name}: cut passages to fewer words or take smaller windows"
        )


def check_answer(backbone: Backbone, ask: Ask, answer: Answer, qid: str) -> None:
    """Refuse an answer that comes from numbers that are not finite."""
    if not answer.finite:
        ids, mask = _padded(backbone, [(*ask.prompt, *ask.continuation)])
        error = not_finite(
            backbone,
            "its last layer or LM head",
            lambda: backbone.decoder(input_ids=ids, attention_mask=mask, use_cache=False),
        )
        raise NotFinite(f"query {qid!r}: {error}")


class _Watch(LogitsProcessor):
    """Sees whether the logits of each row of a batch were finite at every step of an answer."""

    def __init__(self) -> None:
        self.finite: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        # The largest is NaN or infinite if any is.
        now = scores.amax(dim=-1).isfinite()
        self.finite = now if self.finite is None else self.finite & now
        return scores


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
    watch = _Watch()
    written = model.generate(
        input_ids=ids,
        attention_mask=mask,
        generation_config=config,
        logits_processor=LogitsProcessorList([watch]),
    )[:, ids.shape[1] :]
    finite = [True] * len(batch) if watch.finite is None else watch.finite.tolist()
    stops = set(ends if isinstance(ends, list) else [ends])
    answers = []
    for ask, row, sound in zip(batch, written.tolist(), finite, strict=True):
        end = next((i for i, token in enumerate(row) if token in stops), len(row))
        kept = row[: min(end, ask.new_tokens)]
        # The token that ends the answer counts as written.
        tokens = min(end + 1, len(row), ask.new_tokens)
        answers.append(Answer(_answered(backbone.tokenizer, kept), tokens, finite=sound))
    return answers


def _answered(tokenizer: Any, ids: Sequence[int]) -> str:
    """An answer's text without control tokens, but with the marks of a thought, which some tokenizers count as such."""
    special = set(tokenizer.all_special_ids)
    known = {tokenizer.convert_tokens_to_ids(mark): mark for mark in THOUGHT}
    marks = {
        number: mark
        for number, mark in known.items()
        if number in special and number != tokenizer.unk_token_id
    }
    text, start = "", 0
    for place, number in enumerate(ids):
        if number in marks:
            text += tokenizer.decode(ids[start:place], skip_special_tokens=True) + marks[number]
            start = place + 1
    return text + str(tokenizer.decode(ids[start:], skip_special_tokens=True))


def _logits(backbone: Backbone, sequences: Sequence[Sequence[int]], keep: int) -> Tensor:
    """(sequences, keep, vocabulary) float32 logits of the last positions."""
    model: Any = backbone.model
    ids, mask = _padded(backbone, sequences)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with exact_head(model):
        output = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=keep
        )
    found: Tensor = output.logits[:, -keep:].float()
    return found


def _read_words(backbone: Backbone, batch: Sequence[Ask]) -> list[Answer]:
    each = [stems(ask.words) for ask in batch]
    sequences = [(*ask.prompt, *stem) for ask, own in zip(batch, each, strict=True) for stem in own]
    rows = iter(_logits(backbone, sequences, 1 + max(len(stem) for own in each for stem in own)))
    answers = []
    for ask, own in zip(batch, each, strict=True):
        # The logits after the prompt and so many tokens of a word.
        after: dict[tuple[int, ...], Tensor] = {}
        for stem in own:
            row = next(rows)
            after |= {stem[:n]: row[len(row) - 1 - len(stem) + n] for n in range(len(stem) + 1)}
        answers.append(_read(backbone, ask.words, after))
    return answers


def _read(
    backbone: Backbone, words: Sequence[tuple[int, ...]], after: Mapping[tuple[int, ...], Tensor]
) -> Answer:
    """What the logits (vocabulary,) after the beginnings of the words say of the words."""
    if all(len(word) == 1 for word in words):
        values = torch.stack([after[()][word[0]] for word in words])
    else:
        logs = {begun: row.log_softmax(dim=-1) for begun, row in after.items()}
        values = torch.stack(
            [torch.stack([logs[word[:n]][token] for n, token in enumerate(word)]).sum() for word in words]
        )
    said: tuple[int, ...] = ()
    while said in after:
        said += (int(after[said].argmax()),)
    finite = bool(torch.stack([values.amin(), *(row.amax() for row in after.values())]).isfinite().all())
    text = backbone.tokenizer.decode(said)
    return Answer(text, len(said), tuple(values.tolist()), said in words, finite=finite)


def _likelihoods(backbone: Backbone, batch: Sequence[Ask]) -> list[Answer]:
    longest = max(len(a.continuation) for a in batch)
    logits = _logits(backbone, [(*a.prompt, *a.continuation) for a in batch], longest + 1)
    answers = []
    for ask, row in zip(batch, logits, strict=True):
        count = len(ask.continuation)
        # The logits that predict a token are at the position before it.
        foretold = row[-count - 1 : -1].log_softmax(dim=-1)
        tokens = torch.tensor(ask.continuation, device=row.device)
        mean = float(foretold.gather(1, tokens[:, None]).mean())
        answers.append(Answer(likelihood=mean, finite=math.isfinite(mean)))
    return answers
