"""A server on loopback, with a tiny random model, and requests to it on plain sockets."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from headrank import Reranker

pytest.importorskip("fastapi", reason="the extra serve is not installed")
from headrank.serve.limits import Limits
from headrank.serve.run import bind, make_server
from headrank.serve.serving import Serving

QUICK = Limits(in_flight=8, body_bytes=20_000, documents=30, query_characters=200, body_seconds=0.5)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, path: str, body: Any = None, **headers: str) -> Answer:
    """The answer to one request; a body that is no bytes is sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json"} if data is not None else {}
    given |= {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request("GET" if data is None else "POST", path, data, given)
    response = connection.getresponse()
    answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    connection.close()
    return answer


@dataclass(frozen=True)
class Running:
    """serving: of the server; ``thread`` ends when it is told to stop."""

    serving: Serving
    port: int
    thread: threading.Thread
    server: Any

    def ask(self, path: str, body: Any = None, **headers: str) -> Answer:
        return ask(self.port, path, body, **headers)

    def stop(self) -> None:
        self.server.handle_exit(15, None)
        self.thread.join(30)
        assert not self.thread.is_alive()


@contextmanager
def serve(reranker: Reranker, **changes: Any) -> Iterator[Running]:
    token, names = changes.pop("token", None), changes.pop("names", ())
    serving = Serving(reranker, replace(QUICK, **changes), names, token)
    serving.start()
    sock = bind("127.0.0.1", 0)
    server = make_server(serving)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    port = sock.getsockname()[1]
    thread.start()
    while not server.started:
        time.sleep(0.01)
    running = Running(serving, port, thread, server)
    try:
        yield running
    finally:
        if thread.is_alive():
            running.stop()
        assert serving.worker.stop(10)
