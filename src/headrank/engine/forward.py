"""One forward pass per prompt, read by every method at once.

Connects the engine with the kernel: takes prompts, packs them, and returns the token mass of the chosen heads for each
query span that some method needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import torch
from torch import Tensor

from headrank.engine.attention import run, states_entering
from headrank.engine.backbone import Backbone
from headrank.engine.capture import Capture, Read
from headrank.engine.finite import all_finite, not_finite
from headrank.engine.layer_entry import LayerEntry, joined
from headrank.engine.packing import Segment
from headrank.engine.rotary_lengths import most_positions, one_pass
from headrank.errors import InputError, RunError
from headrank.prompts.builder import Prompt

log = logging.getLogger(__name__)
Head = tuple[int, int]
Source = tuple[str, str]  # (branch: "query" or "null", query span)
SHORTER = (
    "give fewer candidates (depth) or cut passages to fewer words or tokens (truncate_words, truncate_tokens)"
)
_Begun = tuple[Prompt, LayerEntry | None]


class PromptTooLong(RunError):
    """A prompt that does not fit the device's memory, even alone in a pass."""


@dataclass(frozen=True)
class Reading:
    """What one pass gave for one prompt.

    mass: (branch, query span) -> (n_heads, prefix tokens) float32, K1 of docs/methods.md, heads in the order requested.
    states: source -> (hidden,) float32, the mean state of the span's tokens, if requested.
    """

    prompt: Prompt
    mass: dict[Source, Tensor]
    states: dict[Source, Tensor] = field(default_factory=dict)


def read_prompts(
    backbone: Backbone,
    prompts: Iterable[Prompt],
    heads: Sequence[Head],
    sources: Iterable[Source],
    tokens_per_pass: int = 0,
    states_layer: int | None = None,
    entries: Sequence[LayerEntry] | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[Reading]:
    """Read prompts one pass at a time; a pass holds as many prompts as fit ``tokens_per_pass`` (at least one).

    The pass ends inside the deepest layer of ``heads``; ``states_layer``, if any, must not lie deeper. With
    ``entries``, one per prompt and all at the same layer (``prompt_states``), the pass begins there; no layer below can
    be read. names: what messages call the prompts. Gradients flow unless the caller disables them. A pass that does not
    fit the device's memory is split into halves, and later passes hold no more than the half that fitted. Raises
    InputError for a prompt with more tokens than the model has positions, PromptTooLong for one that does not fit the
    memory alone, and NotFinite (``headrank.engine.finite``) in place of a reading with numbers that are not finite.
    """
    limit = most_positions(backbone.model.config)
    wanted = list(dict.fromkeys(sources))

    def read(batch: Sequence[_Begun]) -> list[Reading]:
        return list(_read_batch(backbone, batch, heads, wanted, states_layer))

    def checked(reading: Reading) -> Reading:
        if all_finite([*reading.mass.values(), *reading.states.values()]):
            return reading
        sums = torch.stack([mass.detach().sum(dim=-1) for mass in reading.mass.values()]).sum(dim=0)
        bad = [head for head, total in zip(heads, sums.isfinite().tolist(), strict=True) if not total]
        place = "layer {}, attention of head {}".format(*min(bad)) if bad else f"layer {states_layer}"
        raise not_finite(backbone, place, lambda: read([(reading.prompt, None)]))

    batch: list[_Begun] = []
    size = 0
    begun = zip(prompts, repeat(None)) if entries is None else zip(prompts, entries, strict=True)
    for number, (prompt, entry) in enumerate(begun):
        longest = positions_of(prompt)
        if longest > limit:
            # Prompts are read ahead of the readings, so that the caller cannot know which one this is.
            named = f"{names[number]}: " if names else ""
            raise InputError(
                f"{named}a prompt of {longest} tokens does not fit the {limit:.0f} positions of {backbone.name}:"
                f" {SHORTER}"
            )
        length = _length(prompt)
        if batch and size + length > tokens_per_pass:
            tokens_per_pass = yield from _as_fits(read, checked, batch, tokens_per_pass)
            batch, size = [], 0
        batch.append((prompt, entry))
        size += length
    if batch:
        yield from _as_fits(read, checked, batch, tokens_per_pass)


def _as_fits(
    read: Callable[[Sequence[_Begun]], list[Reading]],
    checked: Callable[[Reading], Reading],
    batch: Sequence[_Begun],
    tokens_per_pass: int,
) -> Generator[Reading, None, int]:
    """The readings of one pass, or of as many as memory requires; returns how many tokens later passes may hold."""
    readings = None
    try:
        readings = read(batch)
    except torch.OutOfMemoryError as error:
        if len(batch) == 1:
            raise PromptTooLong(
                f"a prompt of {_length(batch[0][0])} tokens does not fit the device's memory: {SHORTER}, or take a "
                "device with more memory"
            ) from error
    if readings is not None:
        # One by one, so that an error is raised in place of the reading that it is about.
        yield from map(checked, readings)
        return tokens_per_pass
    # Not before this point: within ``except`` the failed pass still holds its memory.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(batch) // 2
    log.warning("a pass of %d prompts does not fit the device's memory; halved", len(batch))
    room = sum(_length(prompt) for prompt, _ in batch[:half])
    first = yield from _as_fits(read, checked, batch[:half], room)
    second = yield from _as_fits(read, checked, batch[half:], first)
    return min(tokens_per_pass, second)


def _length(prompt: Prompt) -> int:
    return len(prompt.prefix) + len(prompt.query.ids) + len(prompt.null.ids)


def positions_of(prompt: Prompt) -> int:
    """How many positions a model must have for this prompt."""
    reach = Segment(0, len(prompt.prefix), (), prompt.blocks).reach
    return reach + max(len(prompt.query.ids), len(prompt.null.ids))


def one_prefix(backbone: Backbone, prompt: Prompt, branches: Sequence[str]) -> bool:
    """Whether the prefix's states are the same for all these branches (``headrank.engine.rotary_lengths``)."""
    return one_pass(backbone.decoder.config, _packed([prompt], branches)[0])


def prompt_states(backbone: Backbone, prompt: Prompt, branches: Sequence[str], layer: int) -> Tensor:
    """(1, tokens, hidden): the hidden states of a prompt with these branches that enter ``layer``; no gradient.

    The branches must have ``one_prefix``.
    """
    segments, sequences = _packed([prompt], branches)
    return states_entering(backbone.decoder, sequences, segments, layer)


def _packed(prompts: Sequence[Prompt], branches: Sequence[str]) -> tuple[list[Segment], list[list[int]]]:
    """Prompts one after the other: their segments and token ids."""
    segments: list[Segment] = []
    sequences: list[list[int]] = []
    start = 0
    for prompt in prompts:
        parts = [getattr(prompt, branch) for branch in branches]
        lengths = tuple(len(part.ids) for part in parts)
        segments.append(Segment(start, len(prompt.prefix), lengths, prompt.blocks, prompt.kept))
        start += segments[-1].length
        sequences.append([*prompt.prefix, *(i for part in parts for i in part.ids)])
    return segments, sequences


def _read_batch(
    backbone: Backbone,
    batch: Sequence[_Begun],
    heads: Sequence[Head],
    sources: Sequence[Source],
    states_layer: int | None,
) -> Iterator[Reading]:
    prompts = [prompt for prompt, _ in batch]
    branches = list(dict.fromkeys(branch for branch, _ in sources))
    by_layer: dict[int, list[int]] = {}
    place: list[tuple[int, int]] = []
    for layer, head in heads:
        place.append((layer, len(by_layer.setdefault(layer, []))))
        by_layer[layer].append(head)
    segments, sequences = _packed(prompts, branches)
    reads = [
        Read(index, branches.index(branch), *getattr(prompt, branch).rows(span))
        for index, prompt in enumerate(prompts)
        for branch, span in sources
    ]
    capture = Capture(segments, reads, by_layer, states_layer=states_layer)
    run(backbone.decoder, sequences, capture, joined([entry for _, entry in batch if entry]))
    for index, prompt in enumerate(prompts):
        mass, states = {}, {}
        for offset, source in enumerate(sources):
            read = index * len(sources) + offset
            layers = {layer: capture.mass[layer][read] for layer in by_layer}
            mass[source] = torch.stack([layers[layer][row] for layer, row in place])
            if capture.states:
                states[source] = capture.states[read]
        yield Reading(prompt, mass, states)
