"""Rotary positions that depend on how long the text is: texts packed into one pass must agree on them.

Two encodings do so (transformers' ``longrope`` and ``dynamic``): texts longer than those that the model was first
trained on use other rotary frequencies than shorter ones, at all their positions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from headrank.engine.capture import Capture, Read
from headrank.engine.layer_entry import LayerEntry
from headrank.engine.packing import Segment


@dataclass(frozen=True)
class Part:
    """A pass over some branches of some segments. places: the indices of its reads among those requested."""

    sequences: Sequence[Sequence[int]]
    capture: Capture
    entry: LayerEntry | None
    places: Sequence[int]

    def fill(self, whole: Capture) -> None:
        """Put what the pass has read into the capture that requested it."""
        if self.capture is whole:
            return
        count = len(whole.reads)
        for found, wanted in [(self.capture.mass, whole.mass), (self.capture.rows, whole.rows)]:
            for layer, tensors in found.items():
                # The other parts fill the places that are still empty.
                row: list[Any] = wanted.setdefault(layer, [None] * count)  # type: ignore[list-item]
                for place, tensor in zip(self.places, tensors, strict=True):
                    row[place] = tensor
        if self.capture.states:
            whole.states = whole.states or [None] * count  # type: ignore[list-item]
            for place, tensor in zip(self.places, self.capture.states, strict=True):
                whole.states[place] = tensor


def parts(
    config: Any, sequences: Sequence[Sequence[int]], capture: Capture, entry: LayerEntry | None
) -> Iterator[Part]:
    """The passes that a capture takes: one, unless its texts use different frequencies."""
    groups = _groups(config, capture.segments)
    if len(groups) < 2:
        yield Part(sequences, capture, entry, range(len(capture.reads)))
        return
    for group in groups.values():
        part = _part(group, sequences, capture, entry)
        if part.places:
            yield part


def one_pass(config: Any, segments: Sequence[Segment]) -> bool:
    """Whether all texts use the same frequencies, so that one pass reads them."""
    return len(_groups(config, segments)) < 2


def _groups(config: Any, segments: Sequence[Segment]) -> dict[Hashable, dict[int, list[int]]]:
    """For each kind of frequencies the segments that use them, by index, with the branches that do."""
    groups: dict[Hashable, dict[int, list[int]]] = {}
    for index, segment in enumerate(segments):
        for branch, length in enumerate(segment.branches):
            group = groups.setdefault(frequencies(config, segment.reach + length), {})
            group.setdefault(index, []).append(branch)
    return groups


def frequencies(config: Any, positions: int) -> Hashable:
    """A key that texts of so many positions share with all texts that use the same frequencies."""
    rope: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    kinds = [kind for kind in (rope, *rope.values()) if isinstance(kind, dict) and "rope_type" in kind]
    longest = getattr(config, "max_position_embeddings", 0)
    found: list[int] = []
    for kind in kinds:
        if kind["rope_type"] == "longrope":
            found.append(int(positions > kind.get("original_max_position_embeddings", longest)))
        elif "dynamic" in kind["rope_type"]:
            found.append(max(positions, longest))
    return tuple(found)


def most_positions(config: Any) -> float:
    """How many positions a model has, scaled rotary encodings included."""
    rope = getattr(config, "rope_parameters", None) or {}
    # Each kind of layer may have its own.
    kinds = [rope, *(kind for kind in rope.values() if isinstance(kind, dict))]
    # Some configurations state the scaled length, others the length before scaling, and the factor.
    scaled = [kind.get("original_max_position_embeddings", 0) * (kind.get("factor") or 1) for kind in kinds]
    found: float = max(getattr(config, "max_position_embeddings", float("inf")), *scaled)
    return found


def restore_rotary(decoder: nn.Module) -> None:
    """Forget the longest text read so far: transformers keeps its dynamic frequencies for the shorter ones after it."""
    for module in decoder.modules():
        for name, longest in list(vars(module).items()):
            if not name.endswith("max_seq_len_cached") or longest == module.original_max_seq_len:
                continue
            kind = name.removesuffix("max_seq_len_cached")
            original: Any = getattr(module, f"{kind}original_inv_freq")
            device = getattr(module, f"{kind}inv_freq").device
            module.register_buffer(f"{kind}inv_freq", original.to(device, copy=True), persistent=False)
            setattr(module, name, module.original_max_seq_len)


def _part(
    group: dict[int, list[int]],
    sequences: Sequence[Sequence[int]],
    capture: Capture,
    entry: LayerEntry | None,
) -> Part:
    segments: list[Segment] = []
    taken: list[list[int]] = []
    where: dict[tuple[int, int], tuple[int, int]] = {}
    tokens: list[int] = []
    for index, branches in group.items():
        segment = capture.segments[index]
        own = list(range(segment.prefix))
        for place, branch in enumerate(branches):
            where[index, branch] = (len(segments), place)
            start = segment.branch_start(branch) - segment.start
            own += range(start, start + segment.branches[branch])
        lengths = tuple(segment.branches[branch] for branch in branches)
        segments.append(replace(segment, start=sum(map(len, taken)), branches=lengths))
        taken.append([sequences[index][i] for i in own])
        tokens += [segment.start + i for i in own]
    places = [i for i, read in enumerate(capture.reads) if (read.segment, read.branch) in where]
    reads = [
        Read(*where[read.segment, read.branch], read.start, read.stop)
        for read in (capture.reads[place] for place in places)
    ]
    if entry is not None:
        states = entry.states
        entry = replace(entry, states=states[:, torch.tensor(tokens, device=states.device)])
    own_capture = replace(capture, segments=segments, reads=reads, mass={}, rows={}, states=[])
    return Part(taken, own_capture, entry, places)
