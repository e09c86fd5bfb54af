"""How prompts are packed into one forward pass (a batch of one, without padding), and what each may see.

A prompt may have several branches over one shared prefix (the query and the null query over the same documents); a
branch sees the prefix and itself, at the positions it would have alone, so one forward pass gives what separate passes
would. The prefix is one causal text, or (CompRank) holds blocks that do not see each other: all blocks begin at the
same position, so that their order has no effect, and branches may see only some of their tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from headrank.engine.row_blocks import attention_by_rows
from headrank.engine.softmax import Softmax
from headrank.engine.tiles import compiled_attention
from headrank.prompts.builder import Span


@dataclass(frozen=True)
class Segment:
    """One packed prompt: where it starts, its prefix's length and its branches' lengths, in tokens.

    blocks: (start, stop) within the prefix of the parts that do not see each other; they follow one another up to the
    prefix's end. kept: the prefix tokens that branches see, in order; all of them if None.
    """

    start: int
    prefix: int
    branches: tuple[int, ...]
    blocks: tuple[Span, ...] = ()
    kept: tuple[int, ...] | None = None

    @property
    def length(self) -> int:
        return self.prefix + sum(self.branches)

    @property
    def opening(self) -> int:
        """How many tokens every block sees."""
        return self.blocks[0][0] if self.blocks else self.prefix

    def branch_start(self, branch: int) -> int:
        """Position of a branch's first token in the packed sequence."""
        return self.start + self.prefix + sum(self.branches[:branch])

    @property
    def reach(self) -> int:
        """The position at which branches begin: after the longest block."""
        return self.opening + max((stop - start for start, stop in self.blocks), default=0)

    @property
    def extent(self) -> int:
        """How many positions it takes."""
        return self.reach + max(self.branches, default=0)

    def positions(self) -> Iterator[int]:
        """The position of each token, as the model sees it."""
        yield from self.prefix_positions()
        for branch in range(len(self.branches)):
            yield from self.branch_positions(branch)

    def prefix_positions(self) -> Iterator[int]:
        yield from range(self.opening)
        for start, stop in self.blocks:
            yield from range(self.opening, self.opening + stop - start)

    def branch_positions(self, branch: int) -> range:
        return range(self.reach, self.reach + self.branches[branch])

    def positions_seen(self, branch: int) -> Tensor:
        """(kept + branch,) int64: the positions of the keys that a branch's rows see, those of the prefix first."""
        prefix = list(self.prefix_positions())
        kept = prefix if self.kept is None else [prefix[i] for i in self.kept]
        return torch.tensor([*kept, *self.branch_positions(branch)])

    def seen(self, states: Tensor) -> Tensor:
        """What branches see of the prefix: (..., T, d) keys or values to (..., kept, d)."""
        prefix = states[..., self.start : self.start + self.prefix, :]
        if self.kept is None:
            return prefix
        return prefix.index_select(-2, torch.tensor(self.kept, device=states.device))


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    segments: Sequence[Segment],
    softmax: Softmax,
    dropout: float,
) -> Tensor:
    """Attention over packed segments: query (1, H, T, d), key and value (1, H_kv, T, d) to (1, T, H, d)."""

    def attend(
        segment: Segment,
        rows: range,
        keys: Callable[[], Tensor] | None,
        *states: Tensor,
        padded: bool = False,
    ) -> Tensor:
        """Of R rows and K keys, row r sees the keys up to K - R + r that the layer's mask shows.

        rows: the rows' positions; keys: returns the keys' positions; None means that they are the rows' own.
        """
        q, k, v = states
        if not softmax.plain or softmax.mask.limits(segment.extent):
            own = torch.arange(rows.start, rows.stop)
            positions = (own, own if keys is None else keys())
            return attention_by_rows(module, (q, k, v), softmax, positions, dropout)
        compiled = None if padded else compiled_attention(q, k, v, softmax.scaling, dropout)
        if compiled is not None:
            return compiled
        visible = None
        if padded or q.shape[2] < k.shape[2]:
            every = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=k.device)
            visible = every.tril(k.shape[2] - q.shape[2]).expand(len(q), 1, -1, -1)
        return sdpa_attention_forward(module, q, k, v, visible, dropout=dropout, scaling=softmax.scaling)[0]

    if all(not segment.blocks and len(segment.branches) < 2 for segment in segments):
        # Ordinary causal sequences; the gradient of a split costs one copy, that of slices one copy for each segment.
        lengths = [segment.length for segment in segments]
        each = zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True)
        parts = each if len(lengths) > 1 else [(query, key, value)]
        mixed = [
            attend(segment, range(segment.length), None, *states)
            for segment, states in zip(segments, parts, strict=True)
        ]
        return mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=1)
    outputs: list[Tensor] = []
    for segment in segments:
        branches = range(len(segment.branches))
        if segment.blocks:
            outputs += _blocks(attend, query, key, value, segment)
        else:
            # Prefix and first branch are one ordinary causal sequence.
            length = segment.prefix + sum(segment.branches[:1])
            first = slice(segment.start, segment.start + length)
            outputs.append(
                attend(segment, range(length), None, query[:, :, first], key[:, :, first], value[:, :, first])
            )
            branches = branches[1:]
        for branch in branches:
            begin, length = segment.branch_start(branch), segment.branches[branch]
            own = slice(begin, begin + length)
            k = torch.cat([segment.seen(key), key[:, :, own]], dim=2)
            v = torch.cat([segment.seen(value), value[:, :, own]], dim=2)
            seen = partial(segment.positions_seen, branch)
            outputs.append(attend(segment, segment.branch_positions(branch), seen, query[:, :, own], k, v))
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)


def _blocks(
    attend: Callable[..., Tensor], query: Tensor, key: Tensor, value: Tensor, segment: Segment
) -> Iterator[Tensor]:
    """The opening, and the blocks as one padded batch: block i sees the opening and itself."""
    first = segment.opening
    opening = slice(segment.start, segment.start + first)
    if first:
        yield attend(
            segment, range(first), None, query[:, :, opening], key[:, :, opening], value[:, :, opening]
        )
    device = query.device
    starts = torch.tensor([start for start, _ in segment.blocks], device=device) + segment.start
    lengths = torch.tensor([stop - start for start, stop in segment.blocks], device=device)
    longest = int(lengths.max())
    steps = torch.arange(longest, device=device)
    real = steps < lengths[:, None]
    places = torch.where(real, starts[:, None] + steps, starts[:, None])

    def padded(states: Tensor) -> Tensor:
        return states[0][:, places].transpose(0, 1)

    def with_opening(states: Tensor) -> Tensor:
        shared = states[:, :, opening].expand(len(segment.blocks), -1, -1, -1)
        return torch.cat([shared, padded(states)], dim=2)

    rows, seen = range(first, first + longest), partial(torch.arange, first + longest)
    states = (padded(query), with_opening(key), with_opening(value))
    out = attend(segment, rows, seen, *states, padded=True)
    yield out[real][None]
