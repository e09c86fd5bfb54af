"""What a ranking looks like in the responses of the common rerank APIs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from headrank.api.ranked import RankedDocument
from headrank.serve.questions import Question


def relevances(ranking: Sequence[RankedDocument]) -> list[float]:
    """The ``relevance_score`` of each document of a response: its probability if the reranker has fitted ones.

    Otherwise the method's own score, which compares within one list only (docs/serving.md). A document without text has
    no probability: 0.
    """
    if any(document.relevance_score is not None for document in ranking):
        return [document.relevance_score or 0.0 for document in ranking]
    return [document.score for document in ranking]


def answer(
    question: Question, ranking: Sequence[RankedDocument], tokens: int, identifier: str, version: str
) -> Any:
    """A response's JSON: what Cohere's clients read, with the keys that Jina's and vLLM's add; or TEI's bare list.

    tokens: of all prompts that were read for the request. version: of Cohere's API, "1" or "2".
    """
    returned = question.returned
    if question.bare:
        shown = [{"text": _text(returned[d.index])} if returned else {} for d in ranking]
        return [
            {"index": d.index, "score": score, **more}
            for d, score, more in zip(ranking, relevances(ranking), shown, strict=True)
        ]
    results: list[dict[str, Any]] = []
    for document, score in zip(ranking, relevances(ranking), strict=True):
        results.append({"index": document.index, "relevance_score": score})
        if returned:
            item = returned[document.index]
            results[-1]["document"] = {"text": item} if isinstance(item, str) else item
    return {
        "id": identifier,
        "object": "list",
        "model": question.model,
        "results": results,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "meta": {"api_version": {"version": version}},
    }


def _text(item: Any) -> Any:
    return item if isinstance(item, str) else item["text"]


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response in ASCII: a document may hold half of a surrogate pair, which has no form in UTF-8."""
    body = json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
    return Response(body, status, dict(headers or {}), "application/json")
