"""The engine: reads attention rows of chosen heads during a normal forward pass and stops at the deepest one.

One attention function and one mask function are registered with transformers under the name ``headrank``. The
residual stream takes the normal SDPA path; for chosen layers the function also computes the softmax rows of the
query-side tokens, in float32, for chosen heads only. No tensor of size tokens x tokens is ever built.

Prompts are packed (``headrank.packing``): one forward pass reads several prompts, and of each several branches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from headrank.imports import uncollected

with uncollected():
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

from headrank.chunks import in_chunks
from headrank.deepest import lean
from headrank.entrance import Entrance, begun_at
from headrank.packing import Segment, packed_attention

IMPLEMENTATION = "headrank"


class _ReadingDone(Exception):
    """Raised inside the deepest layer that is read: nothing above it can matter."""


@dataclass(frozen=True)
class Read:
    """Rows to read: tokens [start, stop) of one branch of one segment."""

    segment: int
    branch: int
    start: int
    stop: int


@dataclass
class Capture:
    """What to read in one forward pass, and what was read.

    heads: layer -> query-head indices. After the pass ``mass[layer][r]`` is (len(heads[layer]), prefix) float32: the
    mean over the rows of read r of the attention paid to each prefix token (K1 of docs/methods.md); with
    ``keep_rows`` also ``rows[layer][r]``, (len(heads[layer]), rows, prefix + branch) float32. With ``states_layer``
    (0 to the deepest layer read) ``states[r]`` is (hidden,) float32: the mean over the rows of the hidden states that
    enter that layer.
    """

    segments: Sequence[Segment]
    reads: Sequence[Read]
    heads: Mapping[int, Sequence[int]]
    keep_rows: bool = False
    states_layer: int | None = None
    states: list[Tensor] = field(default_factory=list)
    mass: dict[int, list[Tensor]] = field(default_factory=dict)
    rows: dict[int, list[Tensor]] = field(default_factory=dict)

    @property
    def deepest(self) -> int:
        return max(self.heads)

    def places(self) -> list[int]:
        """Where the rows that are read stand in the packed sequence."""
        found: set[int] = set()
        for read in self.reads:
            begin = self.segments[read.segment].branch_start(read.branch)
            found.update(range(begin + read.start, begin + read.stop))
        return sorted(found)

    def read(self, layer: int, query: Tensor, key: Tensor, scaling: float) -> None:
        """Compute the rows of one layer. query (1, H, T, d) and key (1, H_kv, T, d), both after rotary encoding."""
        chosen = torch.as_tensor(self.heads[layer], device=query.device)
        # Grouped-query attention: query head j reads key head j // (H / H_kv).
        key = key[0].index_select(0, chosen // (query.shape[1] // key.shape[1]))
        query = query[0].index_select(0, chosen)
        # Spans of one branch overlap (the query lies within the instruction and the query): each row is computed once.
        covering: dict[tuple[int, int], Read] = {}
        for read in self.reads:
            whole = covering.get((read.segment, read.branch), read)
            start, stop = min(whole.start, read.start), max(whole.stop, read.stop)
            covering[read.segment, read.branch] = Read(read.segment, read.branch, start, stop)
        computed = {
            place: _softmax_rows(query, key, self.segments[read.segment], read, scaling)
            for place, read in covering.items()
        }
        masses, rows = [], []
        for read in self.reads:
            place = (read.segment, read.branch)
            offset = covering[place].start
            probabilities = computed[place][:, read.start - offset : read.stop - offset]
            masses.append(probabilities[..., : self.segments[read.segment].prefix].mean(dim=1))
            if self.keep_rows:
                rows.append(probabilities)
        self.mass[layer] = masses
        if self.keep_rows:
            self.rows[layer] = rows

    def read_states(self, hidden: Tensor) -> None:
        """Average the hidden states (1, T, hidden) over each read's rows."""
        for read in self.reads:
            begin = self.segments[read.segment].branch_start(read.branch)
            self.states.append(hidden[0, begin + read.start : begin + read.stop].float().mean(dim=0))


def _softmax_rows(query: Tensor, key: Tensor, segment: Segment, read: Read, scaling: float) -> Tensor:
    begin = segment.branch_start(read.branch)
    length = segment.branches[read.branch]
    rows = query[:, begin + read.start : begin + read.stop].float() * scaling
    prefix = segment.seen(key)
    keys = torch.cat([prefix, key[:, begin : begin + length]], dim=1).float()
    logits = rows @ keys.transpose(1, 2)
    # Row r of the branch sees what is kept of the prefix and the branch up to itself.
    own = torch.arange(length, device=key.device)
    later = own[None, :] > torch.arange(read.start, read.stop, device=key.device)[:, None]
    logits[..., prefix.shape[1] :].masked_fill_(later, float("-inf"))
    probabilities = logits.softmax(dim=-1)
    if segment.kept is None:
        return probabilities
    # What is not kept gets nothing: the prefix has its full length again.
    seen, rest = probabilities.split([prefix.shape[1], length], dim=-1)
    spread = seen.new_zeros(*seen.shape[:-1], segment.prefix)
    kept = torch.tensor(segment.kept, device=key.device)
    return torch.cat([spread.index_copy(-1, kept, seen), rest], dim=-1)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    headrank_capture: Capture | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    if headrank_capture is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    if layer in headrank_capture.heads:
        headrank_capture.read(layer, query, key, scale)
        if layer == headrank_capture.deepest:
            raise _ReadingDone
    return packed_attention(module, query, key, value, headrank_capture.segments, scale, dropout), None


AttentionInterface.register(IMPLEMENTATION, _attention)
# Without a mask function of the same name transformers would drop the padding mask of ordinary calls, silently.
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)


def run(
    decoder: nn.Module,
    sequences: Sequence[Sequence[int]],
    capture: Capture,
    entrance: Entrance | None = None,
) -> Capture:
    """One forward pass of ``decoder`` (a model without its LM head) over packed segments.

    sequences: the token ids of each segment, prefix and branches one behind the other, in the order of
    ``capture.segments``. entrance: where the pass begins, at the first layer if None. Returns ``capture``, filled.
    Gradients flow into its tensors unless disabled outside.
    """
    layers: Any = decoder.layers
    ending: Any = nullcontext()
    if capture.deepest < len(layers):
        ending = lean(layers[capture.deepest], capture.places())
    with suppress(_ReadingDone), _states_read(decoder, capture), begun_at(decoder, entrance), ending:
        _forward(decoder, sequences, capture)
    missing = set(capture.heads) - set(capture.mass)
    if capture.states_layer is not None and not capture.states:
        missing.add(capture.states_layer)
    if missing:
        raise ValueError(f"layers {sorted(missing)} were not reached: the model has too few layers")
    return capture


@torch.no_grad()
def states_entering(
    decoder: nn.Module, sequences: Sequence[Sequence[int]], segments: Sequence[Segment], layer: int
) -> Tensor:
    """(1, T, hidden): the hidden states of packed segments that enter ``layer``, from where on nothing is run."""
    layers: Any = decoder.layers
    found: list[Tensor] = []

    def take(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.append(arguments[0] if arguments else named["hidden_states"])
        raise _ReadingDone

    hook = layers[layer].register_forward_pre_hook(take, with_kwargs=True)
    try:
        with suppress(_ReadingDone):
            _forward(decoder, sequences, Capture(segments, [], {}))
    finally:
        hook.remove()
    return found[0]


def _forward(decoder: nn.Module, sequences: Sequence[Sequence[int]], capture: Capture) -> None:
    device = next(decoder.parameters()).device
    positions = [position for segment in capture.segments for position in segment.positions()]
    ids = torch.tensor([i for sequence in sequences for i in sequence], device=device)
    if len(ids) != len(positions):
        raise ValueError(f"{len(ids)} token ids for segments of {len(positions)} tokens")
    with in_chunks(decoder, len(ids)):
        decoder(
            input_ids=ids[None],
            position_ids=torch.tensor(positions, device=device)[None],
            # A four-dimensional mask is handed through as it is, so that no tokens x tokens mask is made.
            attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),
            use_cache=False,
            headrank_capture=capture,
        )


@contextmanager
def _states_read(decoder: nn.Module, capture: Capture) -> Iterator[None]:
    """Lets the capture see what enters its states' layer, for one forward pass."""
    if capture.states_layer is None:
        yield
        return
    layers: Any = decoder.layers

    def read(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        capture.read_states(arguments[0] if arguments else named["hidden_states"])

    hook = layers[capture.states_layer].register_forward_pre_hook(read, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def attention_rows(
    decoder: nn.Module,
    input_ids: Tensor,
    attention_mask: Tensor,
    rows: Sequence[tuple[int, int]],
    heads: Mapping[int, Sequence[int]],
) -> list[dict[int, Tensor]]:
    """Attention rows of chosen heads for a padded batch (padding on either side).

    input_ids, attention_mask: (B, T). rows: per sequence the (start, stop) among its real tokens. Padding is
    stripped and the sequences are packed. Returns per sequence {layer: (heads, rows, real tokens) float32}.
    """
    sequences = [ids[mask.bool()].tolist() for ids, mask in zip(input_ids, attention_mask, strict=True)]
    segments, start = [], 0
    for sequence in sequences:
        segments.append(Segment(start, 0, (len(sequence),)))
        start += len(sequence)
    reads = [Read(i, 0, *span) for i, span in enumerate(rows)]
    capture = run(decoder, sequences, Capture(segments, reads, heads, keep_rows=True))
    return [{layer: capture.rows[layer][i] for layer in heads} for i in range(len(sequences))]
