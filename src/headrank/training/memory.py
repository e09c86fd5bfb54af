"""What a training step costs in time and memory, and what is done about a list that does not fit."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from headrank.engine.finite import NotFinite
from headrank.engine.forward import PromptTooLong
from headrank.errors import RunError
from headrank.training.examples import Example


class TooLarge(RunError):
    """A list does not fit the device's memory."""


@contextmanager
def fits(examples: Sequence[Example], saving: bool = False) -> Iterator[None]:
    """Raises TooLarge, naming the longest list of the pass, if memory runs out; errors of NotFinite name the lists.

    saving: gradient checkpointing is on.
    """
    try:
        yield
    except (torch.OutOfMemoryError, PromptTooLong) as error:
        longest = max(examples, key=tokens)
        among = f", longest of {len(examples)} in a pass," if len(examples) > 1 else ""
        tried = " even with gradient checkpointing" if saving else ""
        raise TooLarge(
            f"training: list {longest.list_id} of query {longest.qid} ({tokens(longest)} tokens){among} does not fit"
            f" the device's memory{tried}: give fewer or shorter passages (headrank.lists.size,"
            " headrank.prompt.truncate_words), or bfloat16 weights (dtype)"
        ) from error
    except NotFinite as error:
        lists = ", ".join(str(example.list_id) for example in examples)
        raise NotFinite(f"training: lists {lists}: {error}") from error


def passes(examples: Sequence[Example], tokens_per_pass: int) -> Iterator[list[Example]]:
    """The lists, in order, grouped into passes of at most this many tokens; a longer list has its own pass."""
    part: list[Example] = []
    size = 0
    for example in examples:
        size += tokens(example)
        if part and size > tokens_per_pass:
            yield part
            part, size = [], tokens(example)
        part.append(example)
    if part:
        yield part


def tokens(example: Example) -> int:
    """How many tokens a pass over the list's prompt reads."""
    return len(example.prompt.prefix) + len(example.prompt.query.ids)


class Meter:
    """Seconds, tokens and peak memory of each optimiser step.

    Peak memory in MB (10^6 bytes): on a GPU, the most that PyTorch had allocated during the step; on a CPU, the largest
    resident set of the process so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._begin = 0.0

    def start(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self._begin = time.perf_counter()

    def row(self, batch: Sequence[Example]) -> dict[str, float]:
        """What the step over ``batch``, begun at ``start``, took."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            peak = torch.cuda.max_memory_allocated(self.device)
        else:
            # Linux counts in KiB, macOS in bytes.
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
                1 if sys.platform == "darwin" else 1024
            )
        return {
            "lists": len(batch),
            "tokens": sum(map(tokens, batch)),
            "seconds": round(time.perf_counter() - self._begin, 4),
            "peak_memory_mb": round(peak / 1e6, 1),
        }


class RandomState:
    """The state of PyTorch's generators that dropout on a device draws from."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def read(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def write(self, states: dict[str, torch.Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"], self.device)
