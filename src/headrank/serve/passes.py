"""The thread that owns the model: it ranks accepted requests, several in one pass where they fit.

A request is a generator that yields what its next pass has to rank (``Reranker.passes``). Before every pass the thread
looks at what waits, so that a request that came while a pass ran is in the next one, and a list that takes forty
windows does not make a short one wait for all of them. Requests take turns in the order in which they came.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrank.api.ranked import RankedDocument
from headrank.process.progress import whole_job
from headrank.rerankers.candidates import Candidates
from headrank.serve.limits import Limits
from headrank.serve.metrics import Metrics

if TYPE_CHECKING:
    import pandas as pd

    from headrank.methods.ready import Rank

log = logging.getLogger("headrank.serve")
Passes = Generator[Candidates, "pd.DataFrame", list[RankedDocument]]


@dataclass(eq=False)
class Job:
    """An accepted request. done: told once, in the thread, the ranking or why there is none.

    gone: set by anyone, at any time, when nobody waits for the answer any more; no pass is spent on it from then on.
    tokens: of all prompts so far. The rest belongs to the thread.
    """

    passes: Passes
    done: Callable[[Job, list[RankedDocument] | Exception], None]
    gone: str = ""
    tokens: int = 0
    asks: Candidates | None = field(default=None, repr=False)
    size: int = 0


class Worker:
    """The queue and the thread. rank: of a method (``Ready.rank``). size: how many tokens candidates' prompt has.

    rank and size are called in the thread alone.
    """

    def __init__(
        self, rank: Rank, size: Callable[[Candidates], int], limits: Limits, metrics: Metrics
    ) -> None:
        self._rank = rank
        self._size = size
        self._limits = limits
        self._metrics = metrics
        self._turns: deque[Job] = deque()
        self._arrived: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="headrank-model", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, job: Job) -> None:
        with self._changed:
            self._arrived.append(job)
            self._changed.notify()

    def stop(self, seconds: float) -> bool:
        """End the thread after what was accepted and is not gone; whether it ended within ``seconds``."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._arrived or self._turns or self._stopping):
                    self._changed.wait()
                self._take()
            if self._turns:
                self._one_pass()
            elif self._stopping:
                return

    def _take(self) -> None:
        while self._arrived:
            self._turns.append(self._arrived.popleft())

    def _one_pass(self) -> None:
        together = self._next()
        if not together:
            return
        begun = time.monotonic()
        frames = self._ranked(together)
        self._metrics.passes.observe(time.monotonic() - begun)
        self._metrics.together.observe(len(together))
        going: list[Job] = []
        for job, frame in zip(together, frames, strict=True):
            if isinstance(frame, Exception):
                job.done(job, frame)
                continue
            read = int(frame["tokens"].iloc[0]) if len(frame) else 0
            job.tokens += read
            self._metrics.tokens.inc(read)
            if self._advance(job, frame):
                going.append(job)
        # Behind those that came while the pass ran.
        self._take()
        self._turns.extend(going)

    def _next(self) -> list[Job]:
        """The jobs of the next pass, taken from the turns: the first, and those behind it as far as they fit."""
        together: list[Job] = []
        room = self._limits.tokens_per_pass
        while self._turns and len(together) < self._limits.prompts_per_pass:
            job = self._turns[0]
            if job.gone:
                self._turns.popleft()
                self._metrics.dropped.labels(job.gone).inc()
                job.passes.close()
                continue
            if job.asks is None and not self._advance(job, None):
                self._turns.popleft()
                continue
            if together and job.size > room:
                break
            together.append(self._turns.popleft())
            room -= job.size
        return together

    def _advance(self, job: Job, frame: pd.DataFrame | None) -> bool:
        """Give a job its last pass's ranking and learn what the next has to rank; whether there is a next one."""
        try:
            job.asks = next(job.passes) if frame is None else job.passes.send(frame)
            job.size = self._size(job.asks)
        except StopIteration as end:
            job.done(job, end.value)
        except Exception as error:
            job.done(job, error)
        else:
            return True
        return False

    def _ranked(self, together: Sequence[Job]) -> list[pd.DataFrame | Exception]:
        """Each job's part of the frame of one pass. If the pass fails, each is ranked alone: one may be to blame."""
        asked = [job.asks for job in together if job.asks is not None]
        try:
            with whole_job(len(asked), "passes", "pass", disable=True):
                frame = self._rank(asked, self._limits.tokens_per_pass)
            return [frame[frame["qid"] == c.qid] for c in asked]
        except Exception as error:
            if len(together) == 1:
                return [error]
        # Outside the block, where the failed pass has given back its memory.
        log.warning("a pass of %d requests failed; each is ranked alone", len(together))
        return [found for job in together for found in self._ranked([job])]
