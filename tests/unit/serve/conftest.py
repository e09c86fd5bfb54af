"""A tiny random model, and a server with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rerank_server import Running, serve
from support import checkpoint

from headrank import Reranker


@pytest.fixture(scope="session")
def reranker() -> Reranker:
    return Reranker("icr", checkpoint("qwen3"), depth=6)


@pytest.fixture(scope="module")
def running(reranker: Reranker) -> Iterator[Running]:
    with serve(reranker) as server:
        yield server
