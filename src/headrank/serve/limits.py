"""What a server accepts, how much of it at once, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from headrank.data.files import MIB


@dataclass(frozen=True)
class Limits:
    """Bounds of one server; memory is at most about ``in_flight`` times ten times ``body_bytes``, besides the model.

    in_flight: requests that are accepted and not yet answered; more are refused with 429. body_bytes: of a request's
    body. documents, query_characters: of one request. tokens_per_document: a document is cut to so many, whatever the
    request asks for. body_seconds: within which a body must arrive. answer_seconds: within which a request is answered.
    stop_seconds: how long a server that is told to stop works on what it has accepted. tokens_per_pass,
    prompts_per_pass: how much of waiting requests one pass of the model reads; one prompt is read however long it is.
    """

    in_flight: int = 64
    body_bytes: int = 4 * MIB
    documents: int = 1000
    query_characters: int = 8192
    tokens_per_document: int = 2048
    body_seconds: float = 10.0
    answer_seconds: float = 60.0
    stop_seconds: float = 30.0
    tokens_per_pass: int = 4096
    prompts_per_pass: int = 16
