"""Documents and queries in text files: BEIR's JSON lines or tab-separated values, compressed (``.gz``) or not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrank.data.atomic import write_text
from headrank.data.trec import check_id, open_lines
from headrank.errors import InputError

_SURROGATE = re.compile("[\ud800-\udfff]")


Fields = tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """One passage; ``title`` is empty where the collection has none, and ``text`` may be empty too."""

    docid: str
    title: str
    text: str


def read_queries(path: Path) -> dict[str, str]:
    """qid -> text, in the order of the file; JSON lines (``_id``, ``text``), or TSV: id, text.

    Raises InputError naming file and line for anything else, an id that is repeated, or a file without a query.
    """
    queries: dict[str, str] = {}
    for where, record in _records(path, ("_id", "text")):
        qid = check_id(_text(record, "_id", where), where, "query id")
        if qid in queries:
            raise InputError(f"{where}: query id {qid} appears twice")
        queries[qid] = _text(record, "text", where)
    if not queries:
        raise InputError(f"{path}: no query in the file")
    return queries


def write_queries(path: str | os.PathLike[str], queries: Mapping[str, str]) -> None:
    """Write queries as JSON lines (``_id``, ``text``), whole or not at all."""
    rows = [json.dumps({"_id": qid, "text": text}, ensure_ascii=False) for qid, text in queries.items()]
    write_text(path, "\n".join(rows) + "\n")


def read_documents(path: Path, wanted: set[str] | None = None) -> Iterator[Document]:
    """A file's documents, only the ``wanted`` ids if given; JSON lines (``_id``, ``text``, ``title``), or TSV.

    A TSV line is id and text, or id, title and text. Raises InputError naming file and line.
    """
    seen: set[str] = set()
    for where, record in _records(path, ("_id", "text"), ("_id", "title", "text")):
        docid = check_id(_text(record, "_id", where), where, "document id")
        text, title = _text(record, "text", where), _text(record, "title", where, "")
        if wanted is not None and docid not in wanted:
            continue
        if docid in seen:
            raise InputError(f"{where}: document id {docid} appears twice")
        seen.add(docid)
        yield Document(docid, whole(title), whole(text))


def _records(path: Path, *layouts: Fields) -> Iterator[tuple[str, dict[str, Any]]]:
    if ".tsv" in path.suffixes[-2:]:
        yield from _rows(path, layouts)
        return
    for number, line in open_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not valid JSON ({error}); fix or remove the line") from None
        if not isinstance(record, dict):
            raise InputError(f"{where}: expected a JSON object, found {type(record).__name__}")
        yield where, record


def _text(record: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = record.get(key, default)
    if value is None and key not in record:
        raise InputError(f"{where}: key {key!r} is missing")
    if not isinstance(value, str):
        raise InputError(f"{where}: key {key!r} holds {value!r}, expected a string")
    return value


def _rows(path: Path, layouts: Sequence[Fields]) -> Iterator[tuple[str, dict[str, Any]]]:
    by_count = {len(layout): layout for layout in layouts}
    for number, line in open_lines(path):
        if not line.strip():
            continue
        values = line.rstrip("\r\n").split("\t")
        if len(values) not in by_count:
            expected = " or ".join(map(str, by_count))
            raise InputError(
                f"{path}:{number}: expected {expected} columns between tabs, found {len(values)}"
            )
        yield f"{path}:{number}", dict(zip(by_count[len(values)], values, strict=True))


def whole(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can spell but UTF-8 cannot, by the replacement character."""
    return _SURROGATE.sub("\ufffd", text)
