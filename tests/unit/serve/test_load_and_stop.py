"""Too many requests at once, clients that go away, answers that come too late, and the server's end."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest
from rerank_server import Running, serve
from support import checkpoint

from headrank import Reranker
from headrank.errors import UsageError
from headrank.rerankers.candidates import Candidates

ASKED = {"query": "red trees", "documents": ["a green field", "the red oak"]}


class Gate:
    """In front of a reranker's passes: they wait until it is opened. asked: the queries of passes."""

    def __init__(self, reranker: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.asked: list[str] = []
        rank = reranker.ready.rank

        def gated(candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame:
            self.asked += [c.query for c in candidates]
            assert self.open.wait(30)
            return rank(candidates, tokens_per_pass)

        # The reading class is frozen.
        monkeypatch.setitem(reranker.ready.__dict__, "rank", gated)


@pytest.fixture
def gate(reranker: Reranker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found = Gate(reranker, monkeypatch)
    yield found
    found.open.set()


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_answer_belongs_to_its_request(running: Running, reranker: Reranker) -> None:
    texts = [[f"tree {q} {i} " + "red " * ((q * i) % 7) for i in range(2 + q % 7)] for q in range(24)]
    alone = [reranker.rank(f"tree {q}", texts[q], progress=False) for q in range(24)]

    def ask(q: int) -> Any:
        while True:
            answer = running.ask("/v1/rerank", {"query": f"tree {q}", "documents": texts[q]})
            if answer.status != 429:
                return answer.json["results"]
            time.sleep(0.05)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(24)))
    for ranking, results in zip(alone, found, strict=True):
        assert [one["index"] for one in results] == [document.index for document in ranking]
        scores = [document.score for document in ranking]
        # A pass of several prompts rounds differently from a pass of one.
        assert [one["relevance_score"] for one in results] == pytest.approx(scores, rel=1e-4, abs=1e-6)


def test_more_than_may_wait_are_told_to_come_again(reranker: Reranker, gate: Gate) -> None:
    with serve(reranker, in_flight=3) as server, ThreadPoolExecutor(3) as pool:
        gate.open.clear()
        accepted = [pool.submit(server.ask, "/v1/rerank", ASKED) for _ in range(3)]
        until(lambda: server.serving.in_flight == 3)
        refused = server.ask("/v1/rerank", ASKED)
        assert (refused.status, refused.json["error"]["type"]) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert server.ask("/health").status == 200
        gate.open.set()
        assert [one.result().status for one in accepted] == [200] * 3
        assert server.ask("/v1/rerank", ASKED).status == 200


def test_no_pass_is_spent_on_a_client_that_went_away(reranker: Reranker, gate: Gate) -> None:
    with serve(reranker, prompts_per_pass=1) as server, ThreadPoolExecutor(1) as pool:
        gate.open.clear()
        first = pool.submit(server.ask, "/v1/rerank", ASKED)
        until(lambda: server.serving.in_flight == 1)
        body = json.dumps({**ASKED, "query": "left alone"}).encode()
        head = b"POST /v1/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            until(lambda: server.serving.in_flight == 2)
        until(lambda: server.serving.in_flight == 1)
        gate.open.set()
        assert first.result().status == 200
        assert server.ask("/v1/rerank", ASKED).status == 200
        metrics = server.ask("/metrics").body.decode()
    assert "left alone" not in gate.asked
    assert 'headrank_requests_total{path="/v1/rerank",status="499"} 1.0' in metrics
    assert 'headrank_dropped_total{reason="gone"} 1.0' in metrics


def test_an_answer_that_takes_too_long_is_given_up(reranker: Reranker, gate: Gate) -> None:
    with serve(reranker, answer_seconds=0.2) as server:
        gate.open.clear()
        answer = server.ask("/v1/rerank", ASKED)
        assert (answer.status, answer.json["message"]) == (504, "not ranked within 0.2 seconds")
        gate.open.set()


def test_an_error_that_nobody_foresaw_tells_no_text(
    reranker: Reranker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rank = reranker.ready.rank

    def broken(candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame:
        if candidates[0].query == "pomegranate":
            raise KeyError(candidates[0].query)
        return rank(candidates, tokens_per_pass)

    monkeypatch.setitem(reranker.ready.__dict__, "rank", broken)
    with serve(reranker) as server:
        answer = server.ask("/v1/rerank", {**ASKED, "query": "pomegranate"})
        assert server.ask("/v1/rerank", ASKED).status == 200
    assert answer.status == 500
    assert "KeyError" in answer.json["message"]
    assert "KeyError" in caplog.text
    assert "in broken" in caplog.text
    assert "pomegranate" not in answer.body.decode() + caplog.text


def test_a_server_that_stops_answers_what_it_accepted(reranker: Reranker, gate: Gate) -> None:
    with serve(reranker) as server, ThreadPoolExecutor(3) as pool:
        gate.open.clear()
        accepted = [pool.submit(server.ask, "/v1/rerank", ASKED) for _ in range(3)]
        until(lambda: server.serving.in_flight == 3)
        server.server.handle_exit(15, None)
        refused = server.ask("/v1/rerank", ASKED)
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert server.ask("/ready").status == 503
        assert server.ask("/health").status == 200
        gate.open.set()
        assert [one.result().status for one in accepted] == [200] * 3
        server.thread.join(20)
        assert not server.thread.is_alive()
        assert server.server.given_up == 0


def test_it_does_not_work_for_ever_on_what_it_accepted(reranker: Reranker, gate: Gate) -> None:
    with serve(reranker, stop_seconds=0.3) as server, ThreadPoolExecutor(1) as pool:
        gate.open.clear()
        accepted = pool.submit(server.ask, "/v1/rerank", ASKED)
        until(lambda: server.serving.in_flight == 1)
        server.server.handle_exit(15, None)
        assert accepted.result().status == 503
        server.thread.join(20)
        assert not server.thread.is_alive()
        assert server.server.given_up == 1
        gate.open.set()


def test_an_order_that_hangs_on_a_querys_id_is_refused(reranker: Reranker) -> None:
    shuffled = Reranker("icr", checkpoint("qwen3"), order="shuffled")
    with pytest.raises(UsageError, match=r"^order: shuffled by the query's id"), serve(shuffled):
        pass
