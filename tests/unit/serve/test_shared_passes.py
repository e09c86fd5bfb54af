"""The model's thread, with a stand-in for the model: who shares a pass, who waits for whom, and who is left out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import pandas as pd
import pytest

from headrank.data.beir import Document
from headrank.data.rankings import COLUMNS
from headrank.errors import RunError
from headrank.rerankers.candidates import Candidates

pytest.importorskip("prometheus_client", reason="the extra serve is not installed")
from headrank.serve.limits import Limits
from headrank.serve.metrics import Metrics
from headrank.serve.passes import Job, Worker

END = 10


@dataclass
class Model:
    """Ranks documents by their length. held: passes wait for it; seen: the queries of each pass."""

    held: threading.Event = field(default_factory=threading.Event)
    seen: list[list[str]] = field(default_factory=list)
    begun: Queue[list[str]] = field(default_factory=Queue)

    def __call__(self, candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame:
        self.seen.append([c.qid for c in candidates])
        self.begun.put(self.seen[-1])
        assert self.held.wait(END)
        rows = []
        for c in candidates:
            if "poison" in c.query:
                raise RunError(f"query {c.qid!r}: a score is not finite")
            by_length = sorted(range(len(c.documents)), key=lambda i, c=c: -len(c.documents[i].text))
            rows += [(c.qid, str(i), i, 1.0, rank, False, 7, 1) for rank, i in enumerate(by_length)]
        return pd.DataFrame(rows, columns=COLUMNS)


def passes(name: str, windows: int = 1, size: int = 10) -> Any:
    documents = (Document("0", "", "a" * size), Document("1", "", "b"))
    for _ in range(windows):
        frame = yield Candidates(name, name, documents)
        assert set(frame["qid"]) == {name}
    return name


@pytest.fixture
def model() -> Model:
    return Model()


@dataclass
class Desk:
    worker: Worker
    metrics: Metrics
    answers: dict[str, Any] = field(default_factory=dict)
    answered: Queue[str] = field(default_factory=Queue)

    def submit(self, name: str, **how: Any) -> Job:
        def done(_: Job, found: Any) -> None:
            assert name not in self.answers, "answered twice"
            self.answers[name] = found
            self.answered.put(name)

        job = Job(passes(name, **how), done)
        self.worker.submit(job)
        return job

    def wait(self, count: int) -> list[str]:
        return [self.answered.get(timeout=END) for _ in range(count)]


@pytest.fixture
def desk(model: Model) -> Iterator[Desk]:
    metrics = Metrics()
    limits = Limits(tokens_per_pass=30, prompts_per_pass=4)

    def size(c: Candidates) -> int:
        return len(c.documents[0].text)

    worker = Worker(model, size, limits, metrics)
    worker.start()
    yield Desk(worker, metrics)
    model.held.set()
    assert worker.stop(END)


def test_what_waits_shares_the_next_pass(desk: Desk, model: Model) -> None:
    desk.submit("first")
    assert model.begun.get(timeout=END) == ["first"]
    for name in "abcdef":
        desk.submit(name, size=5)
    model.held.set()
    desk.wait(7)
    # At most four prompts.
    assert model.seen == [["first"], ["a", "b", "c", "d"], ["e", "f"]]
    assert all(desk.answers[name] == name for name in desk.answers)


def test_a_pass_holds_no_more_tokens_than_it_may(desk: Desk, model: Model) -> None:
    desk.submit("first")
    assert model.begun.get(timeout=END)
    desk.submit("a", size=20)
    desk.submit("b", size=11)
    desk.submit("c", size=19)
    desk.submit("huge", size=99)
    desk.submit("d", size=1)
    model.held.set()
    desk.wait(6)
    # In the order in which they came; what is larger than a pass has one of its own.
    assert model.seen == [["first"], ["a"], ["b", "c"], ["huge"], ["d"]]


def test_a_long_list_does_not_make_a_short_one_wait(desk: Desk, model: Model) -> None:
    long = desk.submit("long", windows=9, size=30)
    assert model.begun.get(timeout=END) == ["long"]
    desk.submit("short", size=30)
    model.held.set()
    assert desk.wait(2) == ["short", "long"]
    assert model.seen == [["long"], ["short"], *[["long"]] * 8]
    assert long.tokens == 9 * 7


def test_nobody_waits_and_no_pass_is_spent(desk: Desk, model: Model) -> None:
    desk.submit("first")
    assert model.begun.get(timeout=END)
    gone, half = desk.submit("gone"), desk.submit("half", windows=3)
    desk.submit("last")
    gone.gone = "gone"
    model.held.set()
    desk.wait(2)
    half.gone = "late"
    desk.submit("after")
    desk.wait(1)
    assert all("gone" not in names for names in model.seen)
    assert set(desk.answers) - {"half"} == {"first", "last", "after"}
    assert b'headrank_dropped_total{reason="gone"} 1.0' in desk.metrics.text()


def test_one_bad_request_does_not_hurt_its_neighbours(desk: Desk, model: Model) -> None:
    desk.submit("first")
    assert model.begun.get(timeout=END)
    for name in ("a", "poison", "b"):
        desk.submit(name, size=5)
    model.held.set()
    desk.wait(4)
    assert (desk.answers["a"], desk.answers["b"]) == ("a", "b")
    assert isinstance(desk.answers["poison"], RunError)
    assert model.seen[1:] == [["a", "poison", "b"], ["a"], ["poison"], ["b"]]


def test_what_cannot_begin_is_told_and_the_rest_goes_on(desk: Desk, model: Model) -> None:
    model.held.set()
    found: Queue[Any] = Queue()

    def broken() -> Any:
        raise ValueError("no")
        yield

    desk.worker.submit(Job(broken(), lambda _, error: found.put(error)))
    desk.submit("next")
    assert isinstance(found.get(timeout=END), ValueError)
    assert desk.wait(1) == ["next"]
    assert desk.worker.alive


def test_it_stops_after_what_was_accepted(desk: Desk, model: Model) -> None:
    for name in "abc":
        desk.submit(name, size=20)
    assert model.begun.get(timeout=END)
    assert not desk.worker.stop(0.05)
    model.held.set()
    assert desk.worker.stop(END)
    assert set(desk.answers) == set("abc")
