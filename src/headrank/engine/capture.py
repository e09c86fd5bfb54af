"""What one forward pass reads from a model: the softmax rows of chosen heads, and their means over spans of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from headrank.engine.packing import Segment
from headrank.engine.softmax import Softmax


@dataclass(frozen=True)
class Read:
    """Rows to read: tokens [start, stop) of one branch of one segment.

    start is -1 where the prefix's last token, which sees the whole prefix, is the first row.
    """

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
        """Places in the packed sequence of the rows that are read."""
        found: set[int] = set()
        for read in self.reads:
            found.update(_places(self.segments[read.segment], read))
        return sorted(found)

    def read(self, layer: int, query: Tensor, key: Tensor, softmax: Softmax) -> None:
        """Compute the rows of one layer. query (1, H, T, d) and key (1, H_kv, T, d), both after rotary encoding."""
        chosen = torch.as_tensor(self.heads[layer], device=query.device)
        softmax = softmax.of_heads(chosen)
        # Grouped-query attention: query head j reads key head j // (H / H_kv).
        key = key[0].index_select(0, chosen // (query.shape[1] // key.shape[1]))
        query = query[0].index_select(0, chosen)
        # Spans of one branch overlap (``query`` lies within ``instruction+query``), so each row is computed only once.
        covering: dict[tuple[int, int], Read] = {}
        for read in self.reads:
            whole = covering.get((read.segment, read.branch), read)
            start, stop = min(whole.start, read.start), max(whole.stop, read.stop)
            covering[read.segment, read.branch] = Read(read.segment, read.branch, start, stop)
        computed = {
            place: _softmax_rows(query, key, self.segments[read.segment], read, softmax)
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
            self.states.append(_rows_of(hidden[0], self.segments[read.segment], read).float().mean(dim=0))


def _places(segment: Segment, read: Read) -> list[int]:
    """Places in the packed sequence of the rows of a read."""
    begin = segment.branch_start(read.branch)
    # Between the prefix and a branch other branches may lie.
    before = range(segment.start + segment.prefix + min(read.start, 0), segment.start + segment.prefix)
    return [*before, *range(begin + max(read.start, 0), begin + read.stop)]


def _rows_of(states: Tensor, segment: Segment, read: Read) -> Tensor:
    """(..., T, d) states of the packed sequence to (..., rows, d) of a read."""
    begin = segment.branch_start(read.branch)
    if read.start >= 0:
        return states[..., begin + read.start : begin + read.stop, :]
    return states.index_select(-2, torch.tensor(_places(segment, read), device=states.device))


def _softmax_rows(query: Tensor, key: Tensor, segment: Segment, read: Read, softmax: Softmax) -> Tensor:
    begin = segment.branch_start(read.branch)
    length = segment.branches[read.branch]
    rows = _rows_of(query, segment, read).float() * softmax.scaling
    prefix = segment.seen(key)
    keys = torch.cat([prefix, key[:, begin : begin + length]], dim=1).float()
    logits = softmax.bend(rows @ keys.transpose(1, 2))
    # Row r of the branch sees the kept tokens of the prefix, and the branch up to itself.
    own = torch.arange(length, device=key.device)
    later = own[None, :] > torch.arange(read.start, read.stop, device=key.device)[:, None]
    logits[..., prefix.shape[1] :].masked_fill_(later, float("-inf"))
    if softmax.mask.limits(segment.extent):
        places = segment.positions_seen(read.branch).to(key.device)
        seen = prefix.shape[1]
        visible = softmax.mask.visible(places[seen + read.start : seen + read.stop], places)
        logits = logits.masked_fill(~visible, float("-inf"))
    probabilities = softmax.weights(logits)
    if segment.kept is None:
        return probabilities
    # Prefix tokens that are not kept get 0, so that the prefix has its full length again.
    seen, rest = probabilities.split([prefix.shape[1], length], dim=-1)
    spread = seen.new_zeros(*seen.shape[:-1], segment.prefix)
    kept = torch.tensor(segment.kept, device=key.device)
    return torch.cat([spread.index_copy(-1, kept, seen), rest], dim=-1)
