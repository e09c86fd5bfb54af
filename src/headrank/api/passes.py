"""How many documents one pass of a method reads, and the passes in which whole lists are ranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Literal

from headrank.api.windows import Plan, Ranking, passes, rank_by_plans, sliding, tournament
from headrank.engine.forward import positions_of
from headrank.engine.rotary_lengths import most_positions
from headrank.errors import UsageError
from headrank.methods.ready import Ready
from headrank.process.progress import whole_job
from headrank.rerankers.candidates import Candidates

if TYPE_CHECKING:
    import pandas as pd

Beyond = Literal["windows", "tournament", "append"]
BEYOND = ("windows", "tournament", "append")


def first_read(ready: Ready, depth: int, candidates: Candidates) -> int:
    """How many documents, from the first on, one pass reads: at most ``depth``, and as many as have positions."""
    return min(depth, _fitting(ready, candidates))


def most_read(ready: Ready, depth: int, candidates: Candidates) -> int:
    """How many of a query's documents one pass reads, whichever they are; at least 2."""
    if ready.alone:
        return len(candidates.documents)
    return max(2, min(depth, _fitting(ready, candidates, longest=True)))


def plan_of(candidates: Candidates, size: int, top_k: int | None = None, beyond: Beyond = "windows") -> Plan:
    """The passes that rank a query's documents, at most ``size`` in each."""
    count = len(candidates.documents)
    return tournament(count, size, top_k) if beyond == "tournament" else sliding(count, size)


def rank_in_passes(
    ready: Ready,
    depth: int,
    rank: Callable[[Sequence[Candidates]], pd.DataFrame],
    candidates: Sequence[Candidates],
    *,
    top_k: int | None,
    beyond: Beyond,
    progress: bool,
    explain: bool,
) -> list[Ranking]:
    """The ranking of each query's documents, in as many passes as they take.

    rank: as for ``rank_by_plans``. Raises UsageError for a list that takes several passes and is to be explained: their
    scores cannot be compared.
    """
    sizes = [most_read(ready, depth, c) for c in candidates]

    def plans() -> list[Plan]:
        return [plan_of(c, size, top_k, beyond) for c, size in zip(candidates, sizes, strict=True)]

    counts = [passes(plan) for plan in plans()]
    for c, size, count in zip(candidates, sizes, counts, strict=True):
        if explain and count > 1:
            raise UsageError(
                f"explain: {len(c.documents)} documents take {count} passes, whose scores cannot be compared; give at"
                f' most {size}, or set beyond="append"'
            )
    # A single pass, as a search stack asks for, needs no bar; methods that ask the model show their own.
    quiet = not progress or sum(counts) == 1
    whole = whole_job(sum(counts), ready.name, "list", disable=quiet)
    with whole if quiet or ready.builder else nullcontext():
        return rank_by_plans(rank, candidates, plans())


def _fitting(ready: Ready, candidates: Candidates, longest: bool = False) -> int:
    """For how many of the documents, the first or the longest ones, the model has positions."""
    if ready.alone or ready.builder is None:
        return len(candidates.documents)
    prompt = ready.builder.build(candidates.query, candidates.documents, candidates.most_tokens)
    starts = [start for start, _ in prompt.labelled]
    lengths = [after - start for start, after in pairwise([*starts, prompt.labelled[-1][1]])]
    most = most_positions(ready.backbone.model.config)
    room = most - (positions_of(prompt) - sum(lengths))
    tokens = accumulate(sorted(lengths, reverse=True) if longest else lengths)
    return sum(total <= room for total in tokens)
