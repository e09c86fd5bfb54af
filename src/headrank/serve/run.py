"""Running the server: its socket, its signals, and its end."""

from __future__ import annotations

import logging
import signal
import socket
import time
from types import FrameType

import uvicorn

from headrank.errors import RunError, UsageError
from headrank.serve.app import make_app
from headrank.serve.connections import Connection
from headrank.serve.serving import Serving

log = logging.getLogger("headrank.serve")
_BACKLOG = 256
# What handlers may take to send their last answers.
_LAST_WORDS = 5


def bind(host: str, port: int) -> socket.socket:
    """A socket at this address, not yet listening: whoever asks is told that nobody is there until a model is loaded.

    Raises UsageError for a host that has no address, and RunError for a port that is taken or not allowed.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host}: {getattr(error, 'strerror', None) or error}") from None
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise RunError(f"--port {port}: {error.strerror} on {host}") from None
    return sock


class Server(uvicorn.Server):
    """uvicorn's, which on a signal refuses new requests with 503 until those that it has accepted are answered."""

    def __init__(self, config: uvicorn.Config, serving: Serving) -> None:
        super().__init__(config)
        self.serving = serving
        self.given_up = 0
        self._until = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        log.info("serving %s on %s:%d", ", ".join(self.serving.names), shown, port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A second signal waits for nothing. They are not kept, or uvicorn would raise them again at its end.
        seconds = self.serving.limits.stop_seconds
        self._until = 0.0 if self.serving.draining else time.monotonic() + seconds
        self.serving.draining = True
        log.info("%s: new requests are refused, accepted ones are answered", signal.Signals(sig).name)

    async def on_tick(self, counter: int) -> bool:
        serving = self.serving
        if serving.draining and (not serving.in_flight or time.monotonic() >= self._until):
            self.given_up = serving.in_flight
            self.should_exit = True
            serving.give_up()
        return await super().on_tick(counter)


def make_server(serving: Serving) -> Server:
    config = uvicorn.Config(
        make_app(serving),
        http=Connection,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_LAST_WORDS,
    )
    return Server(config, serving)


def run(serving: Serving, sock: socket.socket) -> bool:
    """Serve until a signal says to stop; whether the model's thread has ended too.

    Raises RunError if requests that were accepted had to be given up.
    """
    serving.start()
    server = make_server(serving)
    server.run(sockets=[sock])
    ended = serving.worker.stop(_LAST_WORDS)
    if server.given_up:
        raise RunError(f"{server.given_up} accepted requests were given up")
    log.info("stopped; every accepted request was answered")
    return ended
