"""Documents and queries in text files: BEIR's JSON lines or tab-separated values, compressed (``.gz``) or not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from headrank.data.atomic import write_text
from headrank.data.identifiers import check_id, check_qid
from headrank.data.json_files import parse_json
from headrank.data.lines import open_lines
from headrank.errors import InputError, shown

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

    A text may be empty here, and may hold tabs in TSV. Raises InputError naming file and line for anything else, an id
    that is repeated, or a file without a query.
    """
    queries: dict[str, str] = {}
    for where, record in _records(path, ("_id", "text")):
        qid = check_qid(_text(record, "_id", where), where)
        if qid in queries:
            raise InputError(f"{where}: query id {qid} appears twice")
        queries[qid] = whole(_text(record, "text", where))
    if not queries:
        raise InputError(f"{path}: no query in the file")
    return queries


def write_queries(path: str | os.PathLike[str], queries: Mapping[str, str]) -> None:
    """Write queries as JSON lines (``_id``, ``text``), whole or not at all."""
    rows = [
        json.dumps({"_id": qid, "text": whole(text)}, ensure_ascii=False) for qid, text in queries.items()
    ]
    write_text(path, "\n".join(rows) + "\n")


def check_query(qid: str, text: str, where: str) -> None:
    """Raise InputError, whose message begins with ``where``, for a query without a visible character."""
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise InputError(f"{where}: query {qid!r} has no text; give it one or leave the query out")


def read_documents(path: Path, wanted: set[str] | None = None) -> Iterator[Document]:
    """A file's documents, only the ``wanted`` ids if given; JSON lines (``_id``, ``text``, ``title``), or TSV.

    A TSV line is id and text, or id, title and text, as the first line is; the text may hold tabs. A title may be null.
    Raises InputError naming file and line.
    """
    seen: set[str] = set()
    for where, record in _records(path, ("_id", "text"), ("_id", "title", "text")):
        docid = check_id(_text(record, "_id", where), where, "document id")
        text = _text(record, "text", where)
        title = "" if record.get("title") is None else _text(record, "title", where)
        if wanted is not None and docid not in wanted:
            continue
        if docid in seen:
            raise InputError(f"{where}: document id {docid} appears twice")
        seen.add(docid)
        yield Document(docid, whole(title), whole(text))


def _records(path: Path, *layouts: Fields) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, record) of every line that is not blank: TSV by the file's name or its first line, or else JSON.

    Tables are found under every name: topics of TREC are often called ``.txt``, and a pipe has no name.
    """
    later = ((number, line) for number, line in open_lines(path) if line.strip())
    first = next(later, None)
    if first is None:
        return
    lines = chain([first], later)
    if ".tsv" in path.suffixes[-2:] or ("\t" in first[1].strip() and not first[1].lstrip().startswith("{")):
        yield from _rows(path, lines, layouts)
        return
    for number, line in lines:
        where = f"{path}:{number}"
        try:
            record = parse_json(line)
        except ValueError as error:
            raise InputError(
                f"{where}: not valid JSON ({error}); fix or remove the line (or write columns between tabs)"
            ) from None
        if not isinstance(record, dict):
            raise InputError(f"{where}: expected a JSON object, found {type(record).__name__}")
        yield where, record


def _text(record: Mapping[str, Any], key: str, where: str) -> str:
    if key not in record:
        # Passages of one's own often have their ids and texts under other names.
        found = ", ".join(shown(name) for name in list(record)[:5])
        raise InputError(f"{where}: key {key!r} is missing" + (f"; the line has {found}" if found else ""))
    value = record[key]
    if not isinstance(value, str):
        remedy = "; put it in quotation marks" if type(value) is int else ""
        raise InputError(f"{where}: key {key!r} holds {shown(value)}, expected a string{remedy}")
    return value


def _rows(
    path: Path, lines: Iterable[tuple[int, str]], layouts: Sequence[Fields]
) -> Iterator[tuple[str, dict[str, Any]]]:
    by_count = {len(layout): layout for layout in layouts}
    most = 0
    for number, line in lines:
        row = line.rstrip("\r\n")
        # The first line says how many columns there are; further tabs belong to the text, which is the last.
        most = most or (row.count("\t") + 1 if len(layouts) > 1 else max(by_count))
        values = row.split("\t", most - 1)
        if len(values) not in by_count:
            expected = " or ".join(map(str, by_count))
            raise InputError(
                f"{path}:{number}: expected {expected} columns between tabs, found {len(values)}"
            )
        yield f"{path}:{number}", dict(zip(by_count[len(values)], values, strict=True))


def whole(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can spell but UTF-8 cannot, by the replacement character."""
    return _SURROGATE.sub("\ufffd", text)
