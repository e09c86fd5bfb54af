"""The engine: reads attention rows of chosen heads during a normal forward pass and stops at the deepest one.

One attention function and one mask function are registered with transformers under the name ``headrank``. The
residual stream takes the normal SDPA path; for chosen layers the function also computes the softmax rows of the
query-side tokens, in float32, for chosen heads only. No tensor of size tokens x tokens is ever built.

Prompts are packed (``headrank.engine.packing``): one forward pass reads several prompts, each with several branches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from headrank.process.large_imports import uncollected

with uncollected():
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

from headrank.engine.capture import Capture, Read
from headrank.engine.finite import NotFinite, all_finite
from headrank.engine.last_layer import lean
from headrank.engine.layer_entry import LayerEntry, begun_at
from headrank.engine.layer_masks import LayerMask, Unreadable, layer_mask, masks_by_position
from headrank.engine.packing import Segment, packed_attention
from headrank.engine.rotary_lengths import parts, restore_rotary
from headrank.engine.row_blocks import attention_by_rows, masked_attention
from headrank.engine.softmax import Softmax
from headrank.engine.token_chunks import in_chunks

IMPLEMENTATION = "headrank"
# Arguments of a model's attention function that change nothing here: the window is in the layer's mask.
_HARMLESS = {"sliding_window", "is_causal", "position_ids", "use_cache", "output_attentions"}


class _ReadingDone(Exception):
    """Raised inside the deepest layer that is read: nothing above it matters."""


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | LayerMask | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    headrank_capture: Capture | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    softmax = Softmax(scale, softcap, s_aux)
    states = (query, key, value)
    if headrank_capture is None:
        return _ordinary(module, states, attention_mask, softmax, dropout, others), None
    if not isinstance(attention_mask, LayerMask):
        raise Unreadable("makes attention masks of its own")
    unknown = sorted(name for name, given in others.items() if given is not None and name not in _HARMLESS)
    if unknown or others.get("is_causal") is False:
        raise Unreadable(f"has attention with {', '.join(unknown) or 'is_causal=False'}")
    softmax = replace(softmax, mask=attention_mask)
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    if layer in headrank_capture.heads:
        headrank_capture.read(layer, query, key, softmax)
        if layer == headrank_capture.deepest:
            raise _ReadingDone
    return packed_attention(module, query, key, value, headrank_capture.segments, softmax, dropout), None


def _ordinary(
    module: nn.Module,
    states: tuple[Tensor, Tensor, Tensor],
    visible: Any,
    softmax: Softmax,
    dropout: float,
    others: Mapping[str, Any],
) -> Tensor:
    """Attention of a call that reads nothing, such as text generation: SDPA, unless there is a soft cap or sinks."""
    if softmax.plain:
        mixed: Tensor = sdpa_attention_forward(
            module, *states, visible, scaling=softmax.scaling, dropout=dropout, **others
        )[0]
        return mixed
    query, key, _ = states
    if visible is not None:
        return masked_attention(module, states, softmax, visible, dropout)
    keys = torch.arange(key.shape[2])
    return attention_by_rows(module, states, softmax, (keys[key.shape[2] - query.shape[2] :], keys), dropout)


AttentionInterface.register(IMPLEMENTATION, _attention)
# Without a mask function of the same name transformers would drop the padding mask of ordinary calls, silently.
AttentionMaskInterface.register(IMPLEMENTATION, layer_mask)


def run(
    decoder: nn.Module,
    sequences: Sequence[Sequence[int]],
    capture: Capture,
    entry: LayerEntry | None = None,
) -> Capture:
    """One forward pass of ``decoder`` (a model without its LM head) over packed segments.

    sequences: the token ids of each segment, prefix and branches one after the other, in the order of
    ``capture.segments``. entry: where the pass begins, at the first layer if None. Returns ``capture``, filled.
    Gradients flow into its tensors unless disabled outside. Where rotary positions depend on a text's length
    (``headrank.engine.rotary_lengths``), texts whose positions would differ when read alone get separate passes. Raises
    Unreadable, which names the model's type, for attention that the engine does not know.
    """
    for part in parts(decoder.config, sequences, capture, entry):
        _pass(decoder, part.sequences, part.capture, part.entry)
        part.fill(capture)
    return capture


def _pass(
    decoder: nn.Module, sequences: Sequence[Sequence[int]], capture: Capture, entry: LayerEntry | None
) -> None:
    layers: Any = decoder.layers
    ending: Any = nullcontext()
    if capture.deepest < len(layers):
        ending = lean(layers[capture.deepest], capture.places())
    with suppress(_ReadingDone), _states_read(decoder, capture), begun_at(decoder, entry), ending:
        _forward(decoder, sequences, capture)
    missing = set(capture.heads) - set(capture.mass)
    if capture.states_layer is not None and not capture.states:
        missing.add(capture.states_layer)
    if missing:
        raise ValueError(f"layers {sorted(missing)} were not reached: the model has too few layers")


@torch.no_grad()
def states_entering(
    decoder: nn.Module, sequences: Sequence[Sequence[int]], segments: Sequence[Segment], layer: int
) -> Tensor:
    """(1, T, hidden): the hidden states of packed segments that enter ``layer``, where the pass stops."""
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
    restore_rotary(decoder)
    with in_chunks(decoder, len(ids)), masks_by_position():
        try:
            decoder(
                input_ids=ids[None],
                position_ids=torch.tensor(positions, device=device)[None],
                # Without a padding mask, transformers would itself look for packed texts.
                attention_mask=torch.ones(1, len(ids), dtype=torch.int64, device=device),
                use_cache=False,
                headrank_capture=capture,
            )
        except Unreadable as error:
            config: Any = decoder.config
            raise Unreadable(f"model type {config.model_type!r} {error}") from error


@contextmanager
def _states_read(decoder: nn.Module, capture: Capture) -> Iterator[None]:
    """Let the capture read the hidden states that enter its ``states_layer``, for one forward pass."""
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
    stripped and the sequences are packed. Returns per sequence {layer: (heads, rows, real tokens) float32}. Raises
    NotFinite for rows that are not finite.
    """
    sequences = [ids[mask.bool()].tolist() for ids, mask in zip(input_ids, attention_mask, strict=True)]
    segments, start = [], 0
    for sequence in sequences:
        segments.append(Segment(start, 0, (len(sequence),)))
        start += len(sequence)
    reads = [Read(i, 0, *span) for i, span in enumerate(rows)]
    capture = run(decoder, sequences, Capture(segments, reads, heads, keep_rows=True))
    for layer in sorted(heads):
        if not all_finite(capture.rows[layer]):
            raise NotFinite(f"layer {layer}: its attention is not finite (NaN or infinite)")
    return [{layer: capture.rows[layer][i] for layer in heads} for i in range(len(sequences))]
