"""The paths of the server."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from headrank.serve.access import check_token
from headrank.serve.answers import answer, json_response
from headrank.serve.bodies import CLOSE, check_head, drain, parse_body, read_body
from headrank.serve.metrics import CONTENT_TYPE
from headrank.serve.problems import Problem
from headrank.serve.questions import read_question
from headrank.serve.schemas import OPERATION
from headrank.serve.serving import Serving, problem_of

log = logging.getLogger("headrank.serve")
# Path -> the version of Cohere's API whose answers it gives.
RERANK = {"/rerank": "1", "/v1/rerank": "1", "/v2/rerank": "2"}
# What a caller may call a request, to find it in the log.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def make_app(serving: Serving) -> FastAPI:
    """The ASGI application of a server whose thread is started."""
    # The pages of documentation would load scripts from elsewhere.
    app = FastAPI(title="HeadRank", docs_url=None, redoc_url=None)

    async def rerank(request: Request) -> Response:
        return await _rerank(serving, request)

    for path in RERANK:
        app.add_api_route(path, rerank, methods=["POST"], openapi_extra=OPERATION, summary="Rerank documents")

    @app.get("/health", summary="Whether the process works")
    async def health() -> Response:
        alive = serving.worker.alive
        return json_response({"status": "ok" if alive else "failed"}, 200 if alive else 503)

    @app.get("/ready", summary="Whether requests are accepted")
    async def ready() -> Response:
        return json_response(
            {"status": "ready" if serving.ready else "stopping"}, 200 if serving.ready else 503
        )

    @app.get("/metrics", summary="Counters, for Prometheus")
    async def metrics(request: Request) -> Response:
        check_token(request.headers.get("authorization"), serving.token)
        return Response(serving.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    @app.get("/v1/models", summary="What the model is called")
    async def models(request: Request) -> Response:
        check_token(request.headers.get("authorization"), serving.token)
        about = {"object": "model", "created": int(serving.started), "owned_by": "headrank"}
        return json_response({"object": "list", "data": [{"id": name, **about} for name in serving.names]})

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return json_response(error.body(_identifier()), error.status, error.headers)

    async def unknown(request: Request, error: Exception) -> Response:
        # Of paths and methods that there are not.
        assert isinstance(error, HTTPException)
        told = Problem(error.status_code, str(error.detail), headers=error.headers)
        return json_response(told.body(_identifier()), told.status, told.headers)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, unknown)
    return app


def _identifier() -> str:
    return f"rerank-{uuid.uuid4().hex}"


async def _rerank(serving: Serving, request: Request) -> Response:
    begun = time.monotonic()
    path = request.url.path
    identifier = _identifier()
    name = request.headers.get("x-request-id", "")
    headers = {"X-Request-ID": name if _NAME.fullmatch(name) else identifier}
    documents = tokens = 0
    whole = False
    content: Any
    try:
        check_token(request.headers.get("authorization"), serving.token)
        with serving.accepted():
            limits = serving.limits
            check_head(request, limits.body_bytes)
            body = await read_body(request, limits.body_bytes, limits.body_seconds)
            whole = True
            value = await parse_body(body)
            del body
            question = read_question(value, limits, serving.names, texts=path == "/rerank")
            documents = len(question.documents)
            ranking, tokens = await serving.rank(question, request, identifier)
            content, status = answer(question, ranking, tokens, identifier, RERANK[path]), 200
            serving.metrics.documents.inc(documents)
    except Exception as error:
        told = problem_of(error, identifier)
        content, status = told.body(identifier), told.status
        headers |= told.headers
        if (
            "Connection" not in headers
            and not whole
            and not await drain(request, serving.limits.body_seconds)
        ):
            headers |= CLOSE
    if serving.draining:
        headers |= CLOSE
    seconds = time.monotonic() - begun
    serving.metrics.requests.labels(path, str(status)).inc()
    serving.metrics.seconds.observe(seconds)
    # Neither the query nor a document: a log is read by others than its server.
    log.info(
        "%s %s %d documents=%d tokens=%d ms=%.1f",
        headers["X-Request-ID"],
        path,
        status,
        documents,
        tokens,
        1e3 * seconds,
    )
    return json_response(content, status, headers)
