"""What a request asks for, read from its JSON: the fields of the common rerank APIs, and of text-embeddings-inference.

The fields are those of Cohere's v1 and v2, of Jina and of vLLM. A field that is not known is refused, since a misspelt
``top_n`` would otherwise be answered as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrank.data.beir import Document
from headrank.errors import shown, shown_key, suggestion
from headrank.serve.limits import Limits
from headrank.serve.problems import Problem

# Of text-embeddings-inference: /rerank with `texts`, answered with a bare list.
_TEI = ("query", "texts", "return_text", "raw_scores", "truncate", "truncation_direction", "model", "top_n")
_FIELDS = (
    *("model", "query", "documents", "top_n", "return_documents", "max_tokens_per_doc", "rank_fields"),
    *("truncation", "max_chunks_per_doc", "priority", "user"),
)
# They change nothing here: how a document is cut into chunks that are scored apart (here there are none), how urgent a
# request is, and who asks.
_WITHOUT_EFFECT = ("max_chunks_per_doc", "priority", "user")


@dataclass(frozen=True)
class Question:
    """A request's content, checked. returned: what is shown of each document with its score, if that was asked for.

    bare: whether the answer is text-embeddings-inference's, a list without a frame.
    """

    query: str
    documents: tuple[Document, ...]
    model: str
    top_n: int | None = None
    most_tokens: int | None = None
    returned: tuple[Any, ...] | None = None
    bare: bool = False


def read_question(value: Any, limits: Limits, models: Sequence[str], texts: bool = False) -> Question:
    """Check a body's JSON. models: names that the loaded model answers to. texts: also read TEI's form.

    Raises Problem 422 that names the field at fault, and 404 for another model.
    """
    if not isinstance(value, dict):
        raise Problem(422, f"expected a JSON object with query and documents, got {shown(value)}")
    bare = texts and "texts" in value and "documents" not in value
    fields, listed = (_TEI, "texts") if bare else (_FIELDS, "documents")
    for key in value:
        if key not in fields:
            raise Problem(422, f"{shown_key(key)}: unknown field; {suggestion(key, fields)}", shown_key(key))
    # A field that is null is as good as not there.
    given = {key: item for key, item in value.items() if item is not None}
    model = _model(given, models)
    query = _query(given, limits)
    rank_fields = _rank_fields(given)
    items = _listed(given, listed, limits)
    documents = tuple(_document(item, f"{listed}[{i}]", rank_fields) for i, item in enumerate(items))
    for key in ("truncate", "truncation"):
        if not _flag(given, key, True):
            raise Problem(422, f"{key}: false is not possible: long documents are always cut", key)
    if given.get("truncation_direction", "Right") not in ("Right", "right"):
        raise Problem(
            422, "truncation_direction: documents are cut at their end, Right", "truncation_direction"
        )
    if bare:
        # Scores have one scale here, so that there are no others than raw ones.
        _flag(given, "raw_scores", False)
    shows = _flag(given, "return_text" if bare else "return_documents", False)
    most = _count(given, "max_tokens_per_doc")
    return Question(
        query=query,
        documents=documents,
        model=model,
        top_n=_count(given, "top_n"),
        most_tokens=min(most or limits.tokens_per_document, limits.tokens_per_document),
        returned=tuple(items) if shows else None,
        bare=bare,
    )


def _model(given: Mapping[str, Any], models: Sequence[str]) -> str:
    name = given.get("model", models[0])
    if not isinstance(name, str):
        raise Problem(422, f"model: expected a text, got {shown(name)}", "model")
    if name not in models:
        raise Problem(404, f"model: {shown(name)} is not served; here: {', '.join(models)}", "model")
    return name


def _query(given: Mapping[str, Any], limits: Limits) -> str:
    if "query" not in given:
        raise Problem(422, "query: missing", "query")
    query = given["query"]
    if not isinstance(query, str):
        raise Problem(422, f"query: expected a text, got {shown(query)}", "query")
    if len(query) > limits.query_characters:
        most = limits.query_characters
        raise Problem(422, f"query: {len(query)} characters, at most {most} are read", "query")
    if not any(character.isprintable() and not character.isspace() for character in query):
        raise Problem(422, "query: has no text", "query")
    return query


def _listed(given: Mapping[str, Any], key: str, limits: Limits) -> list[Any]:
    if key not in given:
        raise Problem(422, f"{key}: missing", key)
    items = given[key]
    if not isinstance(items, list):
        raise Problem(422, f"{key}: expected a list of texts or objects with a text, got {shown(items)}", key)
    if not items:
        raise Problem(422, f"{key}: the list is empty", key)
    if len(items) > limits.documents:
        raise Problem(422, f"{key}: {len(items)} documents, at most {limits.documents} are ranked", key)
    return items


def _rank_fields(given: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "rank_fields" not in given:
        return None
    fields = given["rank_fields"]
    if not isinstance(fields, list) or not fields or not all(isinstance(field, str) for field in fields):
        raise Problem(422, f"rank_fields: expected a list of names, got {shown(fields)}", "rank_fields")
    return tuple(fields)


def _document(item: Any, where: str, rank_fields: tuple[str, ...] | None) -> Document:
    """A document of a text, or of an object's title and text, or of the fields that were named, one to a line."""
    if isinstance(item, str):
        return Document("", "", item)
    if not isinstance(item, dict):
        raise Problem(422, f"{where}: expected a text or an object with a text, got {shown(item)}", where)
    names = rank_fields or ("text",)
    for name in names:
        if not isinstance(item.get(name), str):
            told = "is missing" if name not in item else f"is {shown(item[name])}, expected a text"
            raise Problem(422, f"{where}: its {shown_key(name)} {told}", where)
    if rank_fields:
        return Document("", "", "\n".join(item[name] for name in names))
    title = item.get("title") or ""
    if not isinstance(title, str):
        raise Problem(422, f"{where}: its title is {shown(title)}, expected a text", where)
    return Document("", title, item["text"])


def _flag(given: Mapping[str, Any], key: str, default: bool) -> bool:
    value = given.get(key, default)
    if not isinstance(value, bool):
        raise Problem(422, f"{key}: expected true or false, got {shown(value)}", key)
    return value


def _count(given: Mapping[str, Any], key: str) -> int | None:
    value = given.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise Problem(422, f"{key}: expected a whole number from 1 on, got {shown(value)}", key)
    return value
