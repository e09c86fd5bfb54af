"""Ten thousand requests to a server on loopback, with killed clients and malformed bodies among them.

    serve_load.py [--requests 10000] [--compared 600]

Every good request must be answered with the ranking that ``Reranker.rank`` gives it alone; every malformed one with the
status that it deserves; the server must go on after clients that vanish at any moment, and end with 0 at SIGTERM after
answering what it accepted. Then the same good requests go to a server that shares passes and to one that does not, in
turn. Exits with 1 if an answer was lost, swapped or wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planted_server import PlantedServer, serving

from headrank import Reranker
from headrank.doctor.world import World, make_world

CLIENTS = 32
IN_FLIGHT = 24
DEPTH = 6
QUESTIONS = 240
ROUNDS = 3
# The same numbers in packed passes and alone, up to rounding in float32.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Question:
    """body: as it is sent. ranking: (index, score) as the library gives it."""

    body: dict[str, Any]
    ranking: list[tuple[int, float]]


@dataclass
class Tally:
    seconds: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def make_questions(world: World, rng: random.Random) -> list[Question]:
    """Questions over two to ten passages each; lists longer than a pass are ranked in windows."""
    reranker = Reranker("qrhead", world.backbone, heads=world.heads, depth=DEPTH)
    passages = [d for c in world.candidates for d in c.documents]
    found = []
    for number in range(QUESTIONS):
        query = world.candidates[number % len(world.candidates)].query
        texts = [d.text for d in rng.sample(passages, rng.randint(2, 10))]
        ranking = [(d.index, d.score) for d in reranker.rank(query, texts, progress=False)]
        body: dict[str, Any] = {"query": query, "documents": texts}
        if number % 4 == 0:
            body["return_documents"] = True
        if number % 5 == 0:
            body["top_n"] = rng.randint(1, len(texts))
        found.append(Question(body, ranking[: body.get("top_n")]))
    return found


def check(question: Question, answer: Any) -> str | None:
    """What is wrong with an answer."""
    results = answer["results"]
    if [one["index"] for one in results] != [index for index, _ in question.ranking]:
        return "another ranking"
    pairs = zip(results, question.ranking, strict=True)
    if any(abs(one["relevance_score"] - score) > TOLERANCE * max(1, abs(score)) for one, (_, score) in pairs):
        return "other scores"
    texts = question.body["documents"]
    if "return_documents" in question.body and any(
        one["document"]["text"] != texts[one["index"]] for one in results
    ):
        return "other texts"
    return None


def request(body: bytes, path: str = "/v1/rerank", extra: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


MALFORMED: list[tuple[bytes, int]] = [
    (request(b'{"query": "a", "documents": ["b"]'), 400),
    (request(b'{"query": NaN, "documents": ["b"]}'), 400),
    (request(b"\xff\x00\xfe"), 400),
    (request(b"[" * 20_000), 400),
    (request(b'{"query": "a", "documents": [' + b'{"text": ' * 200 + b"1" + b"}" * 200 + b"]}"), 400),
    (request(b'{"query": "a"}'), 422),
    (request(b'{"query": "a", "documents": "b"}'), 422),
    (request(b'{"query": "a", "documents": [null]}'), 422),
    (request(b'{"query": "a", "documents": ["b"], "top_n": -3}'), 422),
    (request(b'{"query": "", "documents": ["b"]}'), 422),
    (request(json.dumps({"query": "a", "documents": ["b"] * 1001}).encode()), 422),
    (request(b'{"query": "a", "documents": ["b"], "model": "other"}'), 404),
    (request(b"", "/v3/rerank"), 404),
    (request(b" " * 5_000_000), 413),
    (b"POST /v1/rerank HTTP/1.1\r\nnonsense\r\n\r\n", 400),
]


class Client:
    """One connection at a time, kept open as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.streams is None or self.streams[1].is_closing() or self.streams[0].at_eof():
            self.close()
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        return self.streams

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
        self.streams = None

    async def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Status and body; again on a new connection if the server had closed the old one as the request was sent."""
        kept = self.streams is not None
        reader, writer = await self.open()
        try:
            writer.write(sent)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            if kept:
                return await self.ask(sent)
            raise
        lines = head.decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(fields["content-length"])) if "content-length" in fields else b""
        if fields.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), body

    async def vanish(self, sent: bytes, cut: int, wait: float) -> None:
        """Send a part of a request, or all of it, and be killed."""
        self.close()
        _, writer = await self.open()
        writer.write(sent[:cut])
        await asyncio.sleep(wait)
        writer.transport.abort()
        self.streams = None


async def good(client: Client, question: Question, tally: Tally) -> None:
    """Ask until it is answered; a server that is full is asked again."""
    sent = request(json.dumps(question.body).encode())
    while True:
        begun = time.monotonic()
        try:
            status, body = await client.ask(sent)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            tally.wrong.append(f"lost: {type(error).__name__}")
            return
        if status != 429:
            break
        tally.counts["429, asked again"] += 1
        await asyncio.sleep(0.2)
    tally.seconds.append(time.monotonic() - begun)
    tally.counts[f"good {status}"] += 1
    wrong = f"status {status}" if status != 200 else check(question, json.loads(body))
    if wrong:
        tally.wrong.append(f"{wrong}: {body[:200]!r}")


async def malformed(client: Client, sent: bytes, status: int, tally: Tally) -> None:
    try:
        found, _ = await client.ask(sent)
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        tally.wrong.append(f"malformed, lost: {type(error).__name__}: {sent[:80]!r}")
        return
    client.close()
    while found == 429:
        await asyncio.sleep(0.2)
        found, _ = await client.ask(sent)
        client.close()
    tally.counts[f"malformed {found}"] += 1
    if found != status:
        tally.wrong.append(f"malformed {found}, not {status}: {sent[:80]!r}")


async def killed(client: Client, question: Question, rng: random.Random, tally: Tally) -> None:
    sent = request(json.dumps(question.body).encode())
    kind, cut = rng.choice(
        [("before its answer", len(sent)), ("in its body", len(sent) - 20), ("in its head", 30)]
    )
    await client.vanish(sent, cut, rng.choice([0, 0.002, 0.05]))
    tally.counts[f"killed {kind}"] += 1


async def spread(port: int, jobs: Sequence[Callable[[Client], Awaitable[None]]], clients: int) -> float:
    """Do all jobs, so many at a time; the seconds that it took."""
    waiting = iter(jobs)

    async def work() -> None:
        client = Client(port)
        for job in waiting:
            await job(client)
        client.close()

    begun = time.monotonic()
    await asyncio.gather(*(work() for _ in range(clients)))
    return time.monotonic() - begun


def storm(server: PlantedServer, questions: Sequence[Question], requests: int, rng: random.Random) -> Tally:
    tally = Tally()
    jobs: list[Callable[[Client], Awaitable[None]]] = []
    for _ in range(requests):
        question = rng.choice(questions)
        kind = rng.random()
        if kind < 0.7:
            jobs.append(lambda c, q=question: good(c, q, tally))
        elif kind < 0.85:
            sent, status = rng.choice(MALFORMED)
            jobs.append(lambda c, s=sent, n=status: malformed(c, s, n, tally))
        else:
            jobs.append(lambda c, q=question: killed(c, q, rng, tally))
    # Warm, so that growth is not that of the first passes.
    asyncio.run(spread(server.port, jobs[:200], CLIENTS))
    before = server.memory()
    seconds = asyncio.run(spread(server.port, jobs[200:], CLIENTS))
    for kind, count in sorted(tally.counts.items()):
        print(f"  {kind}: {count}")
    cuts = statistics.quantiles(tally.seconds, n=20)
    print(
        f"  {requests} requests, {seconds:.0f} s; good ones p50 {1e3 * cuts[9]:.0f} ms, p95 {1e3 * cuts[18]:.0f} ms"
    )
    print(f"  memory {before:.0f} MiB, then {server.memory():.0f} MiB", flush=True)
    return tally


def stopped(server: PlantedServer, questions: Sequence[Question]) -> Tally:
    """SIGTERM while requests are in flight: each is answered rightly, or told that the server stops."""
    tally = Tally()

    async def last(client: Client, question: Question) -> None:
        status, body = await client.ask(request(json.dumps(question.body).encode()))
        tally.counts[f"at SIGTERM {status}"] += 1
        if status == 200 and (wrong := check(question, json.loads(body))):
            tally.wrong.append(wrong)
        elif status not in (200, 503):
            tally.wrong.append(f"status {status} at SIGTERM")

    async def all_at_once() -> int:
        asked = [asyncio.ensure_future(last(Client(server.port), q)) for q in questions[: IN_FLIGHT - 4]]
        await asyncio.sleep(0.1)
        status = await asyncio.to_thread(server.stop)
        for found in await asyncio.gather(*asked, return_exceptions=True):
            if found is not None:
                tally.wrong.append(f"lost at SIGTERM: {found!r}")
        return status

    if status := asyncio.run(all_at_once()):
        tally.wrong.append(f"exit status {status}")
    print(f"  {dict(tally.counts)}, exit status {status}")
    return tally


def compare(world: World, folder: Path, questions: Sequence[Question], compared: int) -> list[str]:
    """Shared passes beside one request at a time, round by round in turn."""
    kinds = {"shared passes": ("--prompts-per-pass", "16"), "one at a time": ("--prompts-per-pass", "1")}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in kinds}
    wrong: list[str] = []
    for _ in range(ROUNDS):
        for name, options in kinds.items():
            with serving(world, folder, "--depth", str(DEPTH), *options) as server:
                tally = Tally()
                asked = [questions[i % len(questions)] for i in range(compared)]
                jobs = [lambda c, q=question, t=tally: good(c, q, t) for question in asked]
                asyncio.run(spread(server.port, jobs[:16], 16))
                tally.seconds.clear()
                seconds = asyncio.run(spread(server.port, jobs[16:], 16))
                wrong += tally.wrong
                cuts = statistics.quantiles(tally.seconds, n=20)
                found[name].append((1e3 * cuts[9], 1e3 * cuts[18], len(tally.seconds) / seconds))
                print(
                    "  {}: p50 {:.0f} ms, p95 {:.0f} ms, {:.1f}/s".format(name, *found[name][-1]), flush=True
                )
    for name, rounds in found.items():
        p50, p95, rate = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(
            f"  {name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, {rate:.1f} requests/s (medians of {ROUNDS} rounds)"
        )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--compared", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="headrank-") as name:
        folder = Path(name)
        world = make_world(folder)
        questions = make_questions(world, rng)
        distinct = {tuple((i, round(score, 6)) for i, score in q.ranking) for q in questions}
        print(f"{len(questions)} questions, {len(distinct)} with a ranking of their own", flush=True)
        limits = ("--depth", str(DEPTH), "--in-flight", str(IN_FLIGHT))
        with serving(world, folder, *limits) as server:
            wrong = storm(server, questions, options.requests, rng).wrong
            wrong += stopped(server, questions).wrong
            errors = [line for line in server.log.read_text().splitlines() if " ERROR " in line]
        wrong += errors
        if options.compared:
            wrong += compare(world, folder, questions, options.compared)
    for line in wrong[:20]:
        print(f"wrong: {line}")
    print(f"{options.requests} requests: {len(wrong)} lost, swapped or wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
