"""Bodies of requests, read within bounds of size and time, and the JSON in them."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request

from headrank.data.json_files import parse_json
from headrank.serve.problems import GONE, Problem

CLOSE = {"Connection": "close"}
# The body of a refused request is read to its end, or the client would lose the answer to the reset of a connection
# that is closed while it sends; but not for ever.
_DRAINED_BYTES = 64 << 20
# Larger ones are parsed outside the event loop.
_PARSED_AT_ONCE = 1 << 18


def check_head(request: Request, most: int) -> None:
    """Raise Problem 413 or 415 for a body that need not be read to be refused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Also what a web page in a user's browser may not send to a server on the same machine without asking.
        raise Problem(415, "Content-Type: expected application/json", "Content-Type")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "Content-Encoding: compressed bodies are not read", "Content-Encoding")
    length = request.headers.get("content-length", "")
    if length.isdigit() and (len(length) > 15 or int(length) > most):
        raise too_large(most)


def too_large(most: int) -> Problem:
    return Problem(413, f"the body has more than {most} bytes; send fewer or shorter documents")


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """The body, at most ``most`` bytes within ``seconds``; Problem 413 or 408, 499 for a client that went away."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large(most)
                parts.append(part)
    except TimeoutError:
        raise Problem(408, f"the body did not arrive within {seconds:g} seconds", headers=CLOSE) from None
    except ClientDisconnect:
        raise Problem(GONE, "the client went away") from None
    return b"".join(parts)


async def drain(request: Request, seconds: float) -> bool:
    """Read what is left of a body, without keeping it; whether the connection can be used again."""
    if request.headers.get("expect"):
        # The client waits for a word before it sends, and gets the refusal instead.
        return False
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while size <= _DRAINED_BYTES:
                message = await request.receive()
                if message["type"] != "http.request":
                    return False
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return True
    except TimeoutError:
        pass
    return False


async def parse_body(body: bytes) -> Any:
    """The JSON of a body; Problem 400 for anything that is none, NaN and nesting without end included."""
    try:
        return await asyncio.to_thread(parse_json, body) if len(body) > _PARSED_AT_ONCE else parse_json(body)
    except ValueError as error:
        raise Problem(400, f"the body is not readable as JSON: {error}") from None
