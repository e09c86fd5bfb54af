"""What callers give as a query and as documents, and what is refused with a word of what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrank.data.beir import Document, check_query
from headrank.errors import UsageError, shown

_IDS = ("id", "_id", "docid")
_KINDS = "texts, Documents or mappings with a text"


@dataclass(frozen=True)
class Given:
    """A query with its documents. ids: the caller's, which may be repeated; those of ``documents`` are their places."""

    query: str
    documents: tuple[Document, ...]
    ids: tuple[str | int, ...]


def read_given(query: Any, documents: Any, ids: Any = None, where: str = "") -> Given:
    """Check and keep what a caller gives.

    documents: an iterable of texts, Documents, or mappings with ``text`` and optionally ``title`` and ``id`` (or
    ``_id``, ``docid``). ids: one per document, in place of their own. where: which of several queries this is, for
    messages.

    Raises InputError for a query without text, one text in place of a list, a document that is none of these, and ids
    that are too few, too many, or neither text nor whole number.
    """
    if not isinstance(query, str):
        raise UsageError(f"{where}query: expected a text, got {shown(query)}")
    check_query(query, query, f"{where}rank")
    read = [_document(d, f"{where}documents[{i}]") for i, d in enumerate(_listed(documents, where))]
    names: Sequence[Any]
    if ids is None:
        names = [i if name is None else name for i, (_, name) in enumerate(read)]
    else:
        if isinstance(ids, str | bytes | Mapping) or not isinstance(ids, Iterable):
            raise UsageError(f"{where}ids: expected one per document, got {shown(ids)}")
        names = list(ids)
        if len(names) != len(read):
            raise UsageError(f"{where}ids: {len(names)} for {len(read)} documents; give one for each")
        for i, name in enumerate(names):
            _check_id(name, f"{where}ids[{i}]")
    found = (Document(str(i), d.title, d.text) for i, (d, _) in enumerate(read))
    return Given(query, tuple(found), tuple(names))


def _listed(documents: Any, where: str) -> Iterable[Any]:
    # A text is iterable too: its letters would be ranked; of a mapping, the keys.
    single = isinstance(documents, str | bytes | Document | Mapping)
    if single or not isinstance(documents, Iterable):
        raise UsageError(f"{where}documents: expected a list of {_KINDS}, got {shown(documents)}")
    return documents


def _document(given: Any, where: str) -> tuple[Document, str | int | None]:
    name: Any = None
    title: Any = ""
    if isinstance(given, Document):
        name, title, text = given.docid or None, given.title, given.text
    elif isinstance(given, Mapping):
        if "text" not in given:
            raise UsageError(f"{where}: {shown(dict(given))} has no text; expected {_KINDS}")
        name = next((given[key] for key in _IDS if given.get(key) is not None), None)
        title, text = given.get("title") or "", given["text"]
    else:
        text = given
    for part, value in (("title", title), ("text", text)):
        if not isinstance(value, str):
            raise UsageError(f"{where}: its {part} is {shown(value)}, expected a text")
    if name is not None:
        _check_id(name, f"{where}: its id")
    return Document("", title, text), name


def _check_id(name: Any, where: str) -> None:
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise UsageError(f"{where} is {shown(name)}, expected a text or a whole number")
