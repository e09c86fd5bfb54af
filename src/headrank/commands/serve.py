"""``headrank serve``: reranking over HTTP."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import fields
from typing import Any

from headrank.commands.inputs import add_model, count, real, whole
from headrank.commands.method_options import add_method, spelt
from headrank.data.files import MIB
from headrank.data.json_files import MOST_BYTES
from headrank.errors import PrerequisiteError, RunError, one_line
from headrank.methods.request import Request
from headrank.serve.limits import Limits


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    usual = Limits()
    parser = commands.add_parser(
        "serve",
        help="rerank over HTTP, as the common rerank APIs do",
        description=(
            "Load a model once and answer POST /rerank, /v1/rerank and /v2/rerank, with the fields of Cohere's, Jina's"
            " and vLLM's APIs (/rerank also with those of text-embeddings-inference). Waiting requests share passes of"
            " the model. GET /health, /ready, /metrics, /v1/models and /openapi.json. docs/serving.md has examples."
        ),
        epilog=(
            "A token in the variable HEADRANK_SERVE_TOKEN, or in --token-file, is asked of every request but /health"
            " and /ready. SIGTERM or Ctrl-C: new requests are refused, accepted ones are answered, then it ends with 0;"
            " a second signal ends it at once."
        ),
    )
    model = parser.add_argument_group("the model")
    add_method(model)
    model.add_argument(
        "--depth", type=whole(2), help="documents in one pass (default: 40, or as in training)"
    )
    model.add_argument(
        "--order",
        choices=["best-first", "best-last"],
        help="order in the prompt (default: best-first, or as in training)",
    )
    model.add_argument(
        "--family", help="chat frame: qwen3 (default), qwen2.5, llama3, mistral, granite, gemma or plain"
    )
    model.add_argument(
        "--probability",
        help="file from `headrank probability fit`, for relevance_score (default: the one in the adapter's folder)",
    )
    add_model(model)
    where = parser.add_argument_group("the server")
    where.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    where.add_argument("--port", type=whole(0, 65535), default=8000, help="0: a free one (default: 8000)")
    where.add_argument(
        "--name", nargs="+", help="what requests may call the model (default: the method's name)"
    )
    where.add_argument("--token-file", help="file with the bearer token")
    where.add_argument(
        "--without-token", action="store_true", help="serve other machines, although there is no token"
    )
    bounds = parser.add_argument_group("limits")
    bounds.add_argument(
        "--in-flight",
        type=count,
        default=usual.in_flight,
        help=f"accepted requests without answer; more get 429 (default: {usual.in_flight})",
    )
    bounds.add_argument(
        "--max-body",
        type=real(0, MOST_BYTES / MIB, above=True),
        default=usual.body_bytes / MIB,
        help=f"MiB of a body; more gets 413 (default: {usual.body_bytes // MIB}, at most {MOST_BYTES // MIB})",
    )
    bounds.add_argument(
        "--max-documents",
        type=count,
        default=usual.documents,
        help=f"of one request; more get 422 (default: {usual.documents})",
    )
    bounds.add_argument(
        "--max-query",
        type=count,
        default=usual.query_characters,
        help=f"characters of a query; more get 422 (default: {usual.query_characters})",
    )
    bounds.add_argument(
        "--max-tokens-per-doc",
        type=count,
        default=usual.tokens_per_document,
        help=f"a document is cut to so many, whatever is asked for (default: {usual.tokens_per_document})",
    )
    bounds.add_argument(
        "--timeout",
        type=real(0, 86400, above=True),
        default=usual.answer_seconds,
        help=f"seconds until a request without answer gets 504 (default: {usual.answer_seconds:g})",
    )
    bounds.add_argument(
        "--grace",
        type=real(0, 86400),
        default=usual.stop_seconds,
        help=f"seconds to answer what was accepted when told to stop (default: {usual.stop_seconds:g})",
    )
    bounds.add_argument(
        "--tokens-per-pass",
        type=count,
        default=usual.tokens_per_pass,
        help=f"requests share a pass up to so many tokens (default: {usual.tokens_per_pass})",
    )
    bounds.add_argument(
        "--prompts-per-pass",
        type=count,
        default=usual.prompts_per_pass,
        help=f"and up to so many prompts; 1: one after the other (default: {usual.prompts_per_pass})",
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    keys = (field.name for field in fields(Request) if field.name != "spelt")
    given = {key: getattr(options, key) for key in keys}
    Request(**given, spelt=spelt).check()
    try:
        from headrank.serve import access
        from headrank.serve import run as server
        from headrank.serve.serving import Serving
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "headrank":
            raise
        raise PrerequisiteError(
            f"serve: {error.name} is not installed; pip install 'headrank[serve]'"
        ) from None

    # Everything that can be wrong with the address and the token is told before a model is loaded.
    token = access.read_token(options.token_file)
    access.check_host(options.host, token, options.without_token)
    sock = server.bind(options.host, options.port)

    from headrank.api.reranker import Reranker

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("headrank.serve").setLevel(logging.INFO)
    reranker = Reranker(
        **given,
        depth=options.depth,
        device=options.device,
        dtype=options.dtype,
        probability=options.probability,
    )
    serving = Serving(reranker, limits_of(options), options.name or (), token)
    status = 0
    try:
        ended = server.run(serving, sock)
    except RunError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        status, ended = error.exit_status, False
    if not ended:
        # The model's thread is in a pass, and cannot be stopped; the interpreter must not wait for it or unload it.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def limits_of(options: argparse.Namespace) -> Limits:
    return Limits(
        in_flight=options.in_flight,
        body_bytes=int(options.max_body * MIB),
        documents=options.max_documents,
        query_characters=options.max_query,
        tokens_per_document=options.max_tokens_per_doc,
        answer_seconds=options.timeout,
        stop_seconds=options.grace,
        tokens_per_pass=options.tokens_per_pass,
        prompts_per_pass=options.prompts_per_pass,
    )
