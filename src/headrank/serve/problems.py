"""Why a request is not answered: a status, and a body that every client can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The kinds of error that the APIs of model servers name in their bodies, by status.
_KINDS = {
    400: "invalid_json",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "overloaded",
    500: "internal_error",
    503: "unavailable",
    504: "timeout",
}
# What a client that went away would have got; nobody receives it, and logs and metrics have it.
GONE = 499


class Problem(Exception):
    """Why a request gets no ranking. key: the part of the request that is at fault."""

    def __init__(
        self, status: int, message: str, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.key = key
        self.headers = dict(headers or {})

    def body(self, identifier: str) -> dict[str, Any]:
        """``message`` is where Cohere's clients look, ``detail`` Jina's, and ``error`` those in OpenAI's manner."""
        kind = _KINDS.get(self.status, "error")
        error = {"message": self.message, "type": kind, "param": self.key, "code": self.status}
        return {"id": identifier, "message": self.message, "detail": self.message, "error": error}
