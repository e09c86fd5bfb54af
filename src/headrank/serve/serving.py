"""One model and the requests that wait for it: what is accepted, what is refused, and when an answer is given up."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request

from headrank.api.ranked import RankedDocument
from headrank.api.reranker import Reranker
from headrank.errors import InputError, RunError, UsageError, one_line
from headrank.rerankers.candidates import Candidates
from headrank.serve.bodies import CLOSE
from headrank.serve.limits import Limits
from headrank.serve.metrics import Metrics
from headrank.serve.passes import Job, Worker
from headrank.serve.problems import GONE, Problem
from headrank.serve.questions import Question

log = logging.getLogger("headrank.serve")
# Of the mean time that a request takes of the model, which says when to try again.
_NEWEST = 0.1


class Serving:
    """A loaded reranker, the thread that runs it and the requests in flight.

    names: what the model is called in requests; the first in answers. token: None where no request needs one. Raises
    UsageError for a reranker that shuffles documents by the query's id, since a request has none.
    """

    def __init__(
        self, reranker: Reranker, limits: Limits, names: Sequence[str] = (), token: bytes | None = None
    ) -> None:
        if reranker.ready.builder and reranker.ready.settings.candidates.order == "shuffled":
            raise UsageError(
                "order: shuffled by the query's id, which requests do not have; give best-first or best-last"
            )
        self.reranker = reranker
        self.limits = limits
        self.names = tuple(names) or (reranker.name,)
        self.token = token
        self.metrics = Metrics()
        self.started = time.time()
        self.in_flight = 0
        self.draining = False
        self._seconds = 0.0
        self._waiting: dict[Job, asyncio.Future[list[RankedDocument] | Exception]] = {}
        self.worker = Worker(reranker.rank_lists, self._tokens, limits, self.metrics)

    def start(self) -> None:
        """Rank one small list, so that a model that cannot rank is no server, and begin to take requests."""
        self.reranker.rank("which trees are red", ["the red oak", "a green field"], progress=False)
        self.worker.start()

    @property
    def ready(self) -> bool:
        return self.worker.alive and not self.draining

    @contextmanager
    def accepted(self) -> Iterator[None]:
        """A place among the requests in flight; Problem 503 or 429 where there is none."""
        if not self.ready:
            raise _stopping()
        if self.in_flight >= self.limits.in_flight:
            wait = min(60, max(1, math.ceil(self.in_flight * self._seconds)))
            raise Problem(
                429, f"{self.in_flight} requests are waiting already", headers={"Retry-After": str(wait)}
            )
        self.in_flight += 1
        self.metrics.in_flight.set(self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
            self.metrics.in_flight.set(self.in_flight)

    async def rank(
        self, question: Question, request: Request, identifier: str
    ) -> tuple[list[RankedDocument], int]:
        """The ranking of a question and the tokens that were read for it.

        Raises Problem: 422 for what the model cannot read, 500 for numbers that are not finite and errors that nobody
        foresaw, 504 if it takes too long, 503 if the server stops before, 499 if the client went away; the model spends
        no further pass on the last two.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[list[RankedDocument] | Exception] = loop.create_future()

        def settle(found: list[RankedDocument] | Exception) -> None:
            if not answered.done():
                answered.set_result(found)

        def done(_: Job, found: list[RankedDocument] | Exception) -> None:
            try:
                loop.call_soon_threadsafe(settle, found)
            except RuntimeError:
                log.info("%s: answered after the server had stopped", identifier)

        passes = self.reranker.passes(
            question.query,
            question.documents,
            name=identifier,
            top_k=question.top_n,
            most_tokens=question.most_tokens,
        )
        job = Job(passes, done)
        begun = time.monotonic()
        self._waiting[job] = answered
        self.worker.submit(job)
        leaves = asyncio.ensure_future(_left(request))
        first: set[asyncio.Future[Any]] = {answered, leaves}
        try:
            await asyncio.wait(first, timeout=self.limits.answer_seconds, return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                # The thread spends no further pass on it.
                job.gone = "gone" if leaves.done() else "late"
        finally:
            del self._waiting[job]
            leaves.cancel()
        if job.gone == "gone":
            raise Problem(GONE, "the client went away")
        if job.gone == "late":
            raise Problem(504, f"not ranked within {self.limits.answer_seconds:g} seconds")
        # One after the other, requests in flight share the model: each has cost it the time over their number.
        taken = (time.monotonic() - begun) / max(1, self.in_flight)
        self._seconds += _NEWEST * (taken - self._seconds)
        found = answered.result()
        if isinstance(found, Exception):
            raise problem_of(found, identifier)
        return found, job.tokens

    def give_up(self) -> None:
        """Tell those whose requests wait that the server stops before their turn."""
        for job, answered in self._waiting.items():
            if not answered.done():
                job.gone = "stopped"
                answered.set_result(_stopping())

    def _tokens(self, candidates: Candidates) -> int:
        """How many tokens a pass over these candidates reads; 0 where the method has prompts of its own."""
        builder = self.reranker.ready.builder
        if builder is None or self.limits.prompts_per_pass < 2:
            return 0
        prompt = builder.build(candidates.query, candidates.documents, candidates.most_tokens)
        return len(prompt.prefix) + len(prompt.query.ids) + len(prompt.null.ids)


def _stopping() -> Problem:
    return Problem(503, "the server is stopping", headers={"Retry-After": "5", **CLOSE})


async def _left(request: Request) -> None:
    """Returns when the client closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def problem_of(error: Exception, identifier: str) -> Problem:
    """The answer to what went wrong; the place of what nobody foresaw is logged."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, InputError) and not isinstance(error, RunError):
        return Problem(422, one_line(error).replace(f"query {identifier!r}: ", ""))
    # The message may hold a part of a text: the log has the place only.
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: %s\n%s", identifier, type(error).__name__, place)
    if isinstance(error, RunError):
        return Problem(500, one_line(error).replace(f"query {identifier!r}: ", ""))
    return Problem(
        500, f"an error that nobody foresaw ({type(error).__name__}); the server's log has its place"
    )
