"""What /openapi.json says of the rerank paths, whose bodies are read by ``headrank.serve.questions``."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_DOCUMENT = {
    "oneOf": [_TEXT, {"type": "object", "properties": {"text": _TEXT, "title": _TEXT}, "required": ["text"]}]
}
_QUESTION = {
    "type": "object",
    "required": ["query", "documents"],
    "additionalProperties": False,
    "properties": {
        "model": _TEXT,
        "query": _TEXT,
        "documents": {"type": "array", "minItems": 1, "items": _DOCUMENT},
        "top_n": _COUNT,
        "return_documents": {"type": "boolean", "default": False},
        "max_tokens_per_doc": _COUNT,
        "rank_fields": {"type": "array", "items": _TEXT},
    },
}
_ANSWER = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "object": {"const": "list"},
        "model": _TEXT,
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "relevance_score": {"type": "number"},
                    "document": {"type": "object"},
                },
            },
        },
        "usage": {
            "type": "object",
            "properties": {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
        },
        "meta": {"type": "object"},
    },
}
_PROBLEM = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "message": _TEXT,
        "detail": _TEXT,
        "error": {
            "type": "object",
            "properties": {"message": _TEXT, "type": _TEXT, "param": _TEXT, "code": {"type": "integer"}},
        },
    },
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


OPERATION: dict[str, Any] = {
    "requestBody": {"required": True, "content": _json(_QUESTION)},
    "responses": {
        "200": {"description": "The ranking, best first", "content": _json(_ANSWER)},
        "default": {"description": "Why there is none", "content": _json(_PROBLEM)},
    },
}
